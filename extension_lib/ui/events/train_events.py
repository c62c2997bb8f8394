"""The method is changed, a run starts, and the page follows it."""

from typing import Any

import gradio as gr

from ...config.presets import defaults, switched
from ...config.run import Run
from ...errors import DarkroomError
from ...host import HostError, find_checkpoint
from ...runs import job as jobs
from ...runs.start import Choice, Undecided, choices, decided
from ...workspaces.starting_run import starting_run
from .. import job_view
from ..changed_settings import starts
from ..layout import Layout, Updates
from ..overview_panel import arithmetic
from ..train_tab import help_shown


class TrainEvents:
    def __init__(self, layout: Layout):
        self.layout, tab, fields = layout, layout.train, layout.run_fields
        tab.method.input(self.change_method, fields,
                         [tab.method_help, tab.arithmetic, tab.marks.starts, *tab.form.everything()], queue=False)
        # Pictures are checked in an event of their own: while an event runs, Gradio ignores more clicks on its button.
        tab.train.click(self.start, {*fields, tab.question}, [tab.question, tab.answer, tab.begun, tab.live],
                        queue=False).then(self.problems_found, [tab.begun], [tab.worries], queue=False)
        layout.poll.click(self.follow, [tab.seen, layout.model.workspace], [*tab.shown_of_job(), layout.model.about],
                          queue=False, show_progress="hidden")
        for name in ("steps", "batch_size", "accumulation"):
            tab.form.components["training", name].input(layout.steps_text, fields, [tab.arithmetic], queue=False)

    def change_method(self, data: dict) -> Updates:
        """Another method brings its own defaults; name and concepts stay."""
        name = data[self.layout.train.method]
        start = run = defaults(name)
        try:
            space = self.layout.space_of(data[self.layout.model.workspace])
            start, run = starting_run(space, self.layout.host, name), space.read_run()
        except DarkroomError:
            pass  # without a workspace the method's own defaults are shown
        own = run if run.method.name == name else switched(run, start)
        return {self.layout.train.method_help: help_shown(name), self.layout.train.arithmetic: arithmetic(own),
                self.layout.train.marks.starts: starts(self.layout.train.form, own, start),
                **self.layout.train.form.updates(own)}

    def start(self, data: dict) -> tuple[Any, Any, Any, Any]:
        """Begins the run, or asks what is to be done with an earlier one."""
        quiet = gr.update(choices=[], value=None, visible=False)
        try:
            if self.layout.host.unsupported:
                raise HostError(self.layout.host.unsupported)
            space = self.layout.space_of(data[self.layout.model.workspace])
            run = self.layout.run_of(data, space.read_run().base.checkpoint)
            space.save_run(run)
            checkpoint = find_checkpoint(self.layout.host, run.base.checkpoint)
            choice = next(
                (c for c in choices(run, self.layout.host, space) if c.text == data[self.layout.train.question]), None)
            if jobs.running_job() is None:
                run = decided(with_choice(run, choice), self.layout.host, space)
            job = jobs.start(run, self.layout.host, space, checkpoint)
        except Undecided as asked:
            texts = [c.text for c in asked.choices]
            return gr.update(choices=texts, value=texts[0], visible=True), "", None, gr.update()
        except DarkroomError as error:
            return quiet, job_view.message(str(error)), None, gr.update()
        return quiet, "", run, job_view.panel(job)

    def problems_found(self, run: Run | None) -> str:
        """The serious findings of a run that has begun; nothing when none has."""
        from .. import check_panel

        if run is None:
            return ""
        try:
            return check_panel.at_start(run, self.layout.host.tokens())
        except DarkroomError as error:
            return job_view.message(str(error))

    def follow(self, seen: str, name: str | None) -> Updates:
        """What the page's timer shows: the newest job, on any number of pages. A page that was just opened waits for
        enter() to say which workspace it shows."""
        updates = self.layout.train.followed(jobs.jobs[-1] if jobs.jobs else None, seen)
        if seen and self.layout.train.seen in updates:
            updates[self.layout.model.about] = self.layout.model.described(name)
        return updates


def with_choice(run: Run, choice: Choice | None) -> Run:
    if choice is None:
        return run
    return run.with_values({"output": {"again": choice.again, "existing": choice.existing}})
