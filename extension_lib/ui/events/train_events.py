"""The method is changed, a run starts, and the page follows it."""

from collections.abc import Callable

import gradio as gr

from ...config.presets import checkpoint_of, defaults, with_workspace_settings
from ...config.run import Run
from ...errors import DarkroomError
from ...overnight.adding import add_run
from ...overnight.worker import wake
from ...runs import job as jobs
from ...runs.start import Undecided, answer_to_continue, choices, require_training, start_run
from ...workspaces.starting_run import starting_run
from ...workspaces.workspace import Workspace
from ..panels.changed_settings import starting_values
from ..tabs.layout import Layout, Updates
from ..tabs.train_tab import method_help_html
from ..views import job_view


class TrainEvents:
    def __init__(self, layout: Layout):
        self.layout, tab, fields = layout, layout.train, layout.run_fields
        tab.method.input(self.change_method, fields,
                         [tab.method_help, tab.arithmetic, tab.changed.starts, *tab.form.all_components()], queue=False)
        # Pictures are checked in an event of their own: while an event runs, Gradio ignores more clicks on its button.
        for button, start in ((tab.train, self.start), (tab.kept.button, self.continue_kept)):
            started = button.click(start, {*fields, tab.question, tab.choices_shown},
                                   [tab.question, tab.choices_shown, tab.answer, tab.started, tab.live,
                                    *tab.kept.outputs()], queue=False)
            started.then(self.problems_found, [tab.started], [tab.problems], queue=False)
        tab.add.click(self.add_to_queue, {*fields, tab.question, tab.choices_shown},
                      [tab.question, tab.choices_shown, tab.answer], queue=False)
        sweep = tab.sweep
        for button, act in ((sweep.count, self.count_sweep), (sweep.add, self.add_sweep)):
            button.click(act, {*fields, *sweep.inputs()}, [sweep.answer], queue=False)
        layout.poll.click(self.follow, [tab.job_version, layout.model.workspace],
                          [*tab.job_outputs(), layout.model.about, *tab.kept.outputs()], queue=False,
                          show_progress="hidden")
        for field in (tab.form.components["base", "prediction"], tab.form.components["noise", "weighting"]):
            field.input(self.show_base, fields, tab.base_outputs(), queue=False)
        tab.memory.plan.click(self.plan_memory, fields, tab.memory.outputs(), queue=False)
        tab.memory.fit.click(self.make_it_fit, {*fields, tab.memory.changes},
                             [*tab.form.all_components(), tab.arithmetic, *tab.memory.outputs()], queue=False)
        tab.describe.click(self.write_description, fields, [tab.answer, *tab.base_outputs()], queue=False)
        for name in ("steps", "batch_size", "accumulation"):
            tab.form.components["training", name].input(layout.steps_text, fields, [tab.arithmetic], queue=False)

    def change_method(self, data: dict) -> Updates:
        """Another method brings its own defaults; name and concepts stay."""
        name = data[self.layout.train.method]
        start = run = defaults(name)
        try:
            space = self.layout.open_workspace(data[self.layout.model.workspace])
            start, run = starting_run(space, self.layout.host, name), space.read_run()
        except DarkroomError:
            pass  # without a workspace the method's own defaults are shown
        own = run if run.method.name == name else with_workspace_settings(run, start)
        return {self.layout.train.method_help: method_help_html(name),
                self.layout.train.arithmetic: self.layout.steps_of(own),
                self.layout.train.changed.starts: starting_values(self.layout.train.form, own, start),
                **self.layout.train.form.updates(own, self.layout.family_of(own))}

    def run_on_page(self, data: dict) -> Run:
        """Raises DarkroomError."""
        space = self.layout.open_workspace(data[self.layout.model.workspace])
        return self.layout.run_of(data, space.read_run().base.checkpoint)

    def plan_memory(self, data: dict) -> Updates:
        """How much memory the run on the page takes."""
        memory = self.layout.train.memory
        try:
            run = self.run_on_page(data)
            jobs.require_idle()
            return memory.updates(run, self.layout.host)
        except DarkroomError as error:
            return memory.said(str(error))

    def make_it_fit(self, data: dict) -> Updates:
        """Sets what makes it fit."""
        layout, memory = self.layout, self.layout.train.memory
        try:
            run = self.run_on_page(data)
            for values in data[memory.changes]:
                run = run.with_values(values)
        except DarkroomError as error:
            return memory.said(str(error))
        return {**layout.train.form.updates(run, layout.family_of(run)), layout.train.arithmetic: layout.steps_of(run),
                **memory.said("It is set. Press Check memory to see what it takes now.", good=True)}

    def show_base(self, data: dict) -> Updates:
        try:
            return self.layout.base_updates(self.run_on_page(data))
        except DarkroomError:
            return {self.layout.train.base: gr.update()}

    def write_description(self, data: dict) -> Updates:
        """Writes what the WebUI lacks to draw with the checkpoint as it is meant."""
        answer = self.layout.train.answer
        try:
            run = self.run_on_page(data)
            path = self.layout.host.write_description(checkpoint_of(run.base, self.layout.host))
        except DarkroomError as error:
            return {answer: job_view.message(str(error))}
        said = f"Wrote {path.name}. Choose another checkpoint and then this one again, so that the WebUI reads it."
        return {answer: job_view.message(said, good=True), **self.layout.base_updates(run)}

    def start(self, data: dict) -> Updates:
        """Starts the run, or asks what to do with an earlier one."""
        return self.start_with(data, self.answer_to_question)

    def continue_kept(self, data: dict) -> Updates:
        """Continues from what was kept, without a question where nobody else's file is overwritten."""
        return self.start_with(data, lambda data, run, space: answer_to_continue(run, self.layout.host, space))

    def add_to_queue(self, data: dict) -> Updates:
        """Adds the run to the queue, or asks what to do with an earlier one."""
        layout, tab = self.layout, self.layout.train
        try:
            require_training(layout.host)
            space = layout.open_workspace(data[layout.model.workspace])
            run = layout.run_of(data, space.read_run().base.checkpoint)
            row = add_run(run, layout.host, space, self.answer_to_question(data, run, space))
        except Undecided as undecided:
            return {tab.answer: "", **self.asked(undecided)}
        except DarkroomError as error:
            return {**self.unasked(), tab.answer: job_view.message(str(error))}
        wake(layout.host)
        said = f"Added {row.name} to the queue. The Queue tab shows when it is trained."
        return {**self.unasked(), tab.answer: job_view.message(said, good=True)}

    def count_sweep(self, data: dict) -> Updates:
        sweep = self.layout.train.sweep
        try:
            return {sweep.answer: sweep.counted(self.run_on_page(data), data)}
        except DarkroomError as error:
            return {sweep.answer: job_view.message(str(error))}

    def add_sweep(self, data: dict) -> Updates:
        """Adds the run on the page with every combination of the values."""
        sweep = self.layout.train.sweep
        try:
            space = self.layout.open_workspace(data[self.layout.model.workspace])
            return {sweep.answer: sweep.added(self.run_on_page(data), space, data)}
        except DarkroomError as error:
            return {sweep.answer: job_view.message(str(error))}

    def asked(self, undecided: Undecided) -> Updates:
        tab = self.layout.train
        return {tab.choices_shown: undecided.choices,
                tab.question: gr.update(choices=[(choice.text, choice.id) for choice in undecided.choices],
                                        value=undecided.choices[0].id, visible=True)}

    def unasked(self) -> Updates:
        tab = self.layout.train
        return {tab.question: gr.update(choices=[], value=None, visible=False), tab.choices_shown: []}

    def start_with(self, data: dict, answer: Callable[[dict, Run, Workspace], str]) -> Updates:
        layout, tab = self.layout, self.layout.train
        unasked: Updates = {**self.unasked(), tab.answer: "", tab.started: None}
        try:
            require_training(layout.host)  # before a workspace is asked for
            space = layout.open_workspace(data[layout.model.workspace])
            run = layout.run_of(data, space.read_run().base.checkpoint)
            job = start_run(run, layout.host, space, answer(data, run, space))
        except Undecided as undecided:
            return {**unasked, **self.asked(undecided)}
        except DarkroomError as error:
            return {**unasked, tab.answer: job_view.message(str(error))}
        return {**unasked, tab.started: job.run, tab.live: job_view.panel(job), **tab.kept.updates(space)}

    def answer_to_question(self, data: dict, run: Run, space: Workspace) -> str:
        """The id that was chosen; "" where nothing was asked, or something else than would be asked now."""
        tab = self.layout.train
        asked = data[tab.choices_shown]
        return (data[tab.question] or "") if asked and asked == choices(run, self.layout.host, space) else ""

    def problems_found(self, run: Run | None) -> str:
        """The serious findings of a run that has begun; nothing when none has."""
        from ..views import check_view

        if run is None:
            return ""
        try:
            return check_view.problems_at_start(run, self.layout.host.tokens())
        except DarkroomError as error:
            return job_view.message(str(error))

    def follow(self, seen: str, name: str | None) -> Updates:
        """What the page's timer shows: the newest job, on any number of pages. A page that was just opened waits for
        enter() to say which workspace it shows."""
        updates = self.layout.train.job_updates(jobs.jobs[-1] if jobs.jobs else None, seen)
        if seen and self.layout.train.job_version in updates:
            updates[self.layout.model.about] = self.layout.model.describe_workspaces(name)
            updates |= self.kept_updates(name)
        return updates

    def kept_updates(self, name: str | None) -> Updates:
        try:
            return self.layout.train.kept.updates(self.layout.open_workspace(name))
        except DarkroomError:
            return {}
