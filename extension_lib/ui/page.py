"""All tabs on one page, and what happens between them."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.context import Context

from ..config.presets import defaults, switched
from ..config.run import Concept, Run, from_dict, to_dict
from ..errors import DarkroomError
from ..host import Host, HostError, find_checkpoint
from ..runs import job as jobs
from ..runs.start import Choice, Undecided, choices, decided
from ..settings import SettingError
from ..setup import installation
from ..workspaces import workspace
from ..workspaces.starting_run import starting_run
from . import job_view
from .changed_settings import starts
from .compare_tab import TAB, CompareTab
from .concepts_tab import ConceptsTab
from .failures import show_failures
from .model_tab import ModelTab
from .overview_panel import arithmetic
from .runs_tab import RunsTab
from .settings_events import SettingsEvents
from .train_tab import TrainTab, help_shown
from .workspace_events import WorkspaceEvents


class Page:
    """The tabs Model, Concepts, Train, Compare and Runs of one host; extra adds the host's own after them."""

    def __init__(self, host: Host, extra: Callable[[], Any] | None = None):
        self.host = host
        self.draw_notice()
        # The scripts in javascript/ press these: follow.js the first two, darkroom_corner.js the third.
        self.entering, self.poll, self.show_train = map(hidden_button, ("enter", "poll", "show_train"))
        with gr.Tabs(elem_id="darkroom_tabs") as self.tabs:
            with gr.Tab("Model", elem_id="darkroom_tab_model"):
                self.model = ModelTab(host)
            with gr.Tab("Concepts", elem_id="darkroom_tab_concepts") as self.concepts_tab:
                self.concepts = ConceptsTab(host)
            with gr.Tab("Train", elem_id="darkroom_tab_train", id=TRAIN):
                self.train = TrainTab(host)
            with gr.Tab("Compare", elem_id="darkroom_tab_compare", id=TAB):
                self.compare = CompareTab(host)
            with gr.Tab("Runs", elem_id="darkroom_tab_runs") as runs_tab:
                self.runs = RunsTab(host)
            runs_tab.select(self.runs.refreshed, self.runs.inputs, [self.runs.runs, self.runs.plot], queue=False)
            if extra:
                extra()
        self.show_train.click(lambda: gr.update(selected=TRAIN), None, [self.tabs], queue=False)
        self.everything = {self.model.workspace, *self.concepts.parts(), self.train.method, *self.train.form.everything()}
        self.wire_model()
        self.wire_concepts()
        self.wire_train()
        self.compare.wire(self.model.workspace, self.entering, self.tabs, [self.train.compare, self.compare.learned])
        if Context.root_block:
            show_failures(Context.root_block)

    def draw_notice(self) -> None:
        """That this host cannot train; or what is missing, with a button to try again; nothing when all is there."""
        if self.host.unsupported:
            gr.HTML(job_view.message(self.host.unsupported), elem_id="darkroom_unsupported")
            return
        problem = installation.problem()
        if problem:
            notice = gr.HTML(job_view.message(problem), elem_id="darkroom_notice")
            retry = gr.Button("Retry", elem_id="darkroom_retry")
            retry.click(self.retry, None, [notice], queue=False)

    def retry(self) -> str:
        problem = installation.retry()
        return job_view.message(problem) if problem else job_view.message("Everything is installed now.", good=True)

    # ---- what the page says

    def run_of(self, data: dict, base: str) -> Run:
        """The run that the page describes. Raises SettingError."""
        parts = [data[p] for p in self.concepts.parts()]
        values = self.train.form.values(data, data[self.train.method])
        concepts = self.concepts.collected(*parts)
        return from_dict({**values, "base": {"checkpoint": base}, "concepts": concepts})

    def space_of(self, name: str | None) -> workspace.Workspace:
        if not name:
            raise SettingError("There is no workspace yet. Create one in the Model tab.")
        return workspace.open_workspace(self.host.folders.workspaces, name)

    def shows(self, run: Run, start: Run) -> dict[Any, Any]:
        """Updates that put a run on the page. start: what it began as."""
        concepts = to_dict(run)["concepts"]
        return {**dict(zip(self.concepts.outputs(), self.concepts.shown(concepts, 0))), **self.train.form.updates(run),
                self.train.method: gr.update(value=run.method.name), self.train.method_help: help_shown(run.method.name),
                self.train.arithmetic: arithmetic(run), self.train.marks.starts: starts(self.train.form, run, start)}

    # ---- Model

    def wire_model(self) -> None:
        model = self.model
        shown = [*self.everything, self.concepts.which, self.train.method_help, self.train.arithmetic, self.train.marks.starts,
                 model.about, model.base, self.concepts.found, *self.concepts.pictures.outputs()]
        model.create.click(self.create, [model.name, model.checkpoint, model.purpose, model.method],
                           [model.answer, model.name, *shown], queue=False)
        self.entering.click(self.enter, None, [*shown, model.trash, self.train.presets.choice], queue=False)
        model.workspace.input(self.choose, [model.workspace], shown, queue=False)
        model.refresh_workspaces.click(self.list_anew, [model.workspace], shown, queue=False)
        WorkspaceEvents(self, shown)
        SettingsEvents(self, shown)

    def enter(self) -> dict[Any, Any]:
        """A page that was just opened shows the newest workspace as it was left, and lists what there is by now."""
        presets = self.train.presets
        return {**self.put_in_front(self.model.newest()), self.model.trash: gr.update(choices=self.model.thrown_away()),
                presets.choice: gr.update(choices=presets.titles())}

    def put_in_front(self, name: str | None) -> dict[Any, Any]:
        """Shows a workspace; the newest in place of one that another page has taken away meanwhile."""
        names = self.model.names()
        name = name if name in names else next(iter(names), None)
        return {**self.choose(name), self.model.workspace: gr.update(choices=names, value=name)}

    def list_anew(self, name: str | None) -> dict[Any, Any]:
        """What is written on the page stays, unless its workspace is gone."""
        names = self.model.names()
        return {self.model.workspace: gr.update(choices=names)} if name in names else self.put_in_front(name)

    def create(self, name: str, checkpoint: str, purpose: str, method: str) -> dict[Any, Any]:
        made, answer = self.model.created(name, checkpoint, purpose, method)
        if made is None:
            return {self.model.answer: answer}
        return {self.model.answer: answer, self.model.name: "", **self.put_in_front(made)}  # the name is free for the next

    def choose(self, name: str | None) -> dict[Any, Any]:
        about = self.model.shows(name)
        try:
            space = self.space_of(name)
            start = run = space.read_run()
        except DarkroomError:
            return about
        try:
            start = starting_run(space, self.host)
        except DarkroomError as error:  # of the checkpoint's preset; its settings are shown all the same
            about[self.model.about] += job_view.message(str(error))
        pictures = self.concepts.pictures
        return {**about, **self.shows(run, start), self.concepts.found: "", **dict(zip(pictures.outputs(), pictures.none()))}

    # ---- Concepts

    def wire_concepts(self) -> None:
        tab = self.concepts
        tab.add.click(tab.added, tab.parts(), tab.outputs(), queue=False)
        tab.remove.click(tab.removed, tab.parts(), tab.outputs(), queue=False)
        tab.which.input(tab.chosen, [tab.which, *tab.parts()], tab.outputs(), queue=False)
        tab.look.click(self.look, self.everything, [tab.found, self.train.arithmetic, *tab.pictures.outputs()], queue=False)
        tab.drop.upload(self.take_in, {*self.everything, tab.drop}, [tab.dropped, tab.drop, *tab.outputs()], queue=False)
        tab.pictures.wire(self.everything, self.settled)
        self.concepts_tab.select(self.glance, {*self.everything, tab.pictures.paths}, tab.pictures.outputs(), queue=False)
        tab.tools.wire(self.everything, self.settled, self.shown_concept, tab.pictures)

    def settled(self, data: dict) -> Run:
        """What the page says, kept in its workspace. Raises DarkroomError."""
        space = self.space_of(data[self.model.workspace])
        run = self.run_of(data, space.read_run().base.checkpoint)
        space.save_run(run)
        return run

    def shown_concept(self, data: dict, run: Run) -> Concept:
        return run.concepts[data[self.concepts.current]]

    def look(self, data: dict) -> list[Any]:
        """The check before the start."""
        from . import check_panel

        pictures = self.concepts.pictures
        try:
            run = self.settled(data)
            return [check_panel.panel(run, self.host.tokens()), arithmetic(run), *pictures.all(run)]
        except DarkroomError as error:
            return [job_view.message(str(error)), "", *pictures.none()]

    def glance(self, data: dict) -> list[Any]:
        """The pictures of a workspace whose Concepts are looked at for the first time; without them nothing is said."""
        pictures = self.concepts.pictures
        if not data[pictures.paths]:
            try:
                return pictures.all(self.run_of(data, "any"))
            except DarkroomError:
                pass  # no folder was chosen yet
        return [gr.update() for _ in pictures.outputs()]

    def take_in(self, data: dict) -> list[Any]:
        tab = self.concepts
        try:
            folder = self.space_of(data[self.model.workspace]).folder
            return tab.taken_in(data[tab.drop], folder, *(data[part] for part in tab.parts()))
        except DarkroomError as error:
            return [job_view.message(str(error)), *[gr.update() for _ in (tab.drop, *tab.outputs())]]

    # ---- Train

    def wire_train(self) -> None:
        tab = self.train
        tab.method.input(self.change_method, self.everything,
                         [tab.method_help, tab.arithmetic, tab.marks.starts, *tab.form.everything()], queue=False)
        # Pictures are examined in an event of their own: while one is under way, Gradio passes over further clicks on its button.
        tab.train.click(self.start, {*self.everything, tab.question}, [tab.question, tab.answer, tab.begun, tab.live],
                        queue=False).then(self.worries, [tab.begun], [tab.worries], queue=False)
        self.poll.click(self.follow, [tab.seen, self.model.workspace], [*tab.shown_of_job(), self.model.about], queue=False,
                        show_progress="hidden")
        for name in ("steps", "batch_size", "accumulation"):
            tab.form.components["training", name].input(self.count, self.everything, [tab.arithmetic], queue=False)

    def change_method(self, data: dict) -> dict[Any, Any]:
        """Another method brings its own defaults; name and concepts stay."""
        name = data[self.train.method]
        start = run = defaults(name)
        try:
            space = self.space_of(data[self.model.workspace])
            start, run = starting_run(space, self.host, name), space.read_run()
        except DarkroomError:
            pass  # without a workspace the method's own defaults are shown
        own = run if run.method.name == name else switched(run, start)
        return {self.train.method_help: help_shown(name), self.train.arithmetic: arithmetic(own),
                self.train.marks.starts: starts(self.train.form, own, start),
                **self.train.form.updates(own)}

    def count(self, data: dict) -> str:
        try:
            return arithmetic(self.run_of(data, "any"))
        except DarkroomError:
            return ""

    def start(self, data: dict) -> tuple[Any, Any, Any, Any]:
        """Begins the run, or asks what is to be done with an earlier one."""
        quiet = gr.update(choices=[], value=None, visible=False)
        try:
            if self.host.unsupported:
                raise HostError(self.host.unsupported)
            space = self.space_of(data[self.model.workspace])
            run = self.run_of(data, space.read_run().base.checkpoint)
            space.save_run(run)
            checkpoint = find_checkpoint(self.host, run.base.checkpoint)
            choice = next((c for c in choices(run, self.host, space) if c.text == data[self.train.question]), None)
            if jobs.running_job() is None:
                run = decided(with_choice(run, choice), self.host, space)
            job = jobs.start(run, self.host, space, checkpoint)
        except Undecided as asked:
            texts = [c.text for c in asked.choices]
            return gr.update(choices=texts, value=texts[0], visible=True), "", None, gr.update()
        except DarkroomError as error:
            return quiet, job_view.message(str(error)), None, gr.update()
        return quiet, "", run, job_view.panel(job)

    def worries(self, run: Run | None) -> str:
        """The serious findings of a run that has begun; nothing when none has."""
        from . import check_panel

        if run is None:
            return ""
        try:
            return check_panel.at_start(run, self.host.tokens())
        except DarkroomError as error:
            return job_view.message(str(error))

    def follow(self, seen: str, name: str | None) -> dict[Any, Any]:
        """What the page's timer shows: the newest job, on any number of pages. A page that was just opened waits for enter()
        to say which workspace it shows."""
        updates = self.train.followed(jobs.jobs[-1] if jobs.jobs else None, seen)
        if seen and self.train.seen in updates:
            updates[self.model.about] = self.model.described(name)
        return updates


TRAIN = "train"  # the tab's id


def hidden_button(name: str) -> Any:
    return gr.Button(name, elem_id=f"darkroom_{name}", elem_classes=["darkroom-hidden"])


def with_choice(run: Run, choice: Choice | None) -> Run:
    if choice is None:
        return run
    return run.with_values({"output": {"again": choice.again, "existing": choice.existing}})
