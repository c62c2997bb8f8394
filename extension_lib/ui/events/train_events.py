"""The method is changed, a run starts, and the page follows it."""

import gradio as gr

from ...config.presets import defaults, with_method_of
from ...config.run import Run
from ...errors import DarkroomError
from ...runs import job as jobs
from ...runs.start import Undecided, choices, start_run
from ...workspaces.starting_run import starting_run
from ...workspaces.workspace import Workspace
from ..panels.changed_settings import starts
from ..tabs.layout import Layout, Updates
from ..tabs.train_tab import help_shown
from ..views import job_view
from ..views.overview_table import arithmetic


class TrainEvents:
    def __init__(self, layout: Layout):
        self.layout, tab, fields = layout, layout.train, layout.run_fields
        tab.method.input(self.change_method, fields,
                         [tab.method_help, tab.arithmetic, tab.marks.starts, *tab.form.everything()], queue=False)
        # Pictures are checked in an event of their own: while an event runs, Gradio ignores more clicks on its button.
        started = tab.train.click(self.start, {*fields, tab.question, tab.asked},
                                  [tab.question, tab.asked, tab.answer, tab.begun, tab.live], queue=False)
        started.then(self.problems_found, [tab.begun], [tab.worries], queue=False)
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
        own = run if run.method.name == name else with_method_of(run, start)
        return {self.layout.train.method_help: help_shown(name), self.layout.train.arithmetic: arithmetic(own),
                self.layout.train.marks.starts: starts(self.layout.train.form, own, start),
                **self.layout.train.form.updates(own)}

    def start(self, data: dict) -> Updates:
        """Starts the run, or asks what to do with an earlier one."""
        layout, tab = self.layout, self.layout.train
        unasked: Updates = {tab.question: gr.update(choices=[], value=None, visible=False), tab.asked: [], tab.answer: "",
                            tab.begun: None}
        try:
            space = layout.space_of(data[layout.model.workspace])
            run = layout.run_of(data, space.read_run().base.checkpoint)
            job = start_run(run, layout.host, space, self.answer_to_question(data, run, space))
        except Undecided as undecided:
            return {**unasked, tab.asked: undecided.choices,
                    tab.question: gr.update(choices=[(choice.text, choice.id) for choice in undecided.choices],
                                            value=undecided.choices[0].id, visible=True)}
        except DarkroomError as error:
            return {**unasked, tab.answer: job_view.message(str(error))}
        return {**unasked, tab.begun: job.run, tab.live: job_view.panel(job)}

    def answer_to_question(self, data: dict, run: Run, space: Workspace) -> str:
        """The id that was chosen; "" where nothing was asked, or something else than would be asked now."""
        tab = self.layout.train
        asked = data[tab.asked]
        return (data[tab.question] or "") if asked and asked == choices(run, self.layout.host, space) else ""

    def problems_found(self, run: Run | None) -> str:
        """The serious findings of a run that has begun; nothing when none has."""
        from ..views import check_view

        if run is None:
            return ""
        try:
            return check_view.at_start(run, self.layout.host.tokens())
        except DarkroomError as error:
            return job_view.message(str(error))

    def follow(self, seen: str, name: str | None) -> Updates:
        """What the page's timer shows: the newest job, on any number of pages. A page that was just opened waits for
        enter() to say which workspace it shows."""
        updates = self.layout.train.followed(jobs.jobs[-1] if jobs.jobs else None, seen)
        if seen and self.layout.train.seen in updates:
            updates[self.layout.model.about] = self.layout.model.described(name)
        return updates
