"""What the page shows: its tabs, and the run that they describe. What its buttons do is in events/."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from markupsafe import Markup

from ...config.presets import about_checkpoint, checkpoint_of
from ...config.run import Run, from_dict, to_dict
from ...data.limits import within_limits
from ...errors import DarkroomError
from ...families.family import Family
from ...host import Host
from ...settings import SettingError
from ...setup import installation
from ...workspaces import workspace
from ..panels.changed_settings import starting_values
from ..views import job_view
from ..views.base_view import base_html
from ..views.html import NOTHING
from ..views.overview_table import steps_summary
from .compare_tab import TAB, CompareTab
from .concepts_tab import ConceptsTab
from .files_tab import FilesTab
from .model_tab import ModelTab
from .queue_tab import QueueTab
from .runs_tab import RunsTab
from .train_tab import TrainTab, method_help_html

TRAIN = "train"  # the tab's id
Updates = dict[Any, Any]  # what Gradio shall change, by component


class Layout:
    """The tabs Model, Concepts, Train, Queue, Compare, Runs and Files of one host; extra adds its own after them."""

    def __init__(self, host: Host, extra: Callable[[], Any] | None = None):
        self.host = host
        self.draw_notice()
        self.queue_asks = gr.HTML(elem_id="darkroom_queue_asks")
        # The scripts in javascript/ press these: follow.js the first two, darkroom_corner.js the third.
        self.enter, self.poll, self.show_train = map(hidden_button, ("enter", "poll", "show_train"))
        with gr.Tabs(elem_id="darkroom_tabs") as self.tabs:
            with gr.Tab("Model", elem_id="darkroom_tab_model"):
                self.model = ModelTab(host)
            with gr.Tab("Concepts", elem_id="darkroom_tab_concepts") as self.concepts_tab:
                self.concepts = ConceptsTab(host)
            with gr.Tab("Train", elem_id="darkroom_tab_train", id=TRAIN):
                self.train = TrainTab(host)
            with gr.Tab("Queue", elem_id="darkroom_tab_queue") as self.queue_tab:
                self.queue = QueueTab(host, self.queue_asks)
            with gr.Tab("Compare", elem_id="darkroom_tab_compare", id=TAB):
                self.compare = CompareTab(host)
            with gr.Tab("Runs", elem_id="darkroom_tab_runs") as self.runs_tab:
                self.runs = RunsTab(host)
            with gr.Tab("Files", elem_id="darkroom_tab_files"):
                self.files = FilesTab(host)
            if extra:
                extra()
        # The components that describe a run, and those that another workspace fills.
        self.run_fields = {self.model.workspace, *self.concepts.inputs(), self.train.method,
                           *self.train.form.all_components()}
        self.workspace_fields = [
            *self.run_fields, *self.train.base_outputs(), self.concepts.which, self.train.method_help,
            self.train.arithmetic, self.train.changed.starts, self.model.about, self.model.base,
            self.concepts.check_answer, *self.concepts.pictures.outputs(), *self.train.kept.outputs()]

    def draw_notice(self) -> None:
        """Says that this host cannot train, or what is missing, with a button to retry.

        Draws nothing if all is well.
        """
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

    def run_of(self, data: dict, base: str) -> Run:
        """The run that the page describes. Raises SettingError, FolderError."""
        parts = [data[p] for p in self.concepts.inputs()]
        values = self.train.form.values(data, data[self.train.method])
        concepts = self.concepts.all_concepts(*parts)
        run = from_dict({**values, "base": {**values["base"], "checkpoint": base}, "concepts": concepts})
        return within_limits(run, self.host.folders)

    def open_workspace(self, name: str | None) -> workspace.Workspace:
        if not name:
            raise SettingError("There is no workspace yet. Create one in the Model tab.")
        return workspace.open_workspace(self.host.folders.workspaces, name)

    def run_updates(self, run: Run, start: Run) -> Updates:
        """Updates that show a run on the page. start: the run with the starting values."""
        concepts = to_dict(run)["concepts"]
        return {
            **dict(zip(self.concepts.outputs(), self.concepts.show_concept(concepts, 0))),
            **self.train.form.updates(run, self.family_of(run)), **self.base_updates(run),
            self.train.method: gr.update(value=run.method.name),
            self.train.method_help: method_help_html(run.method.name), self.train.arithmetic: self.steps_of(run),
            self.train.changed.starts: starting_values(self.train.form, run, start)
        }

    def family_of(self, run: Run) -> Family | None:
        """The family of the run's checkpoint, where it is known."""
        _, kind = about_checkpoint(self.host, run.base)
        return kind.family if kind else None

    def base_updates(self, run: Run) -> Updates:
        """What the Train tab says of the run's checkpoint, and the button for what is missing beside it."""
        try:
            missing = self.host.missing_description(checkpoint_of(run.base, self.host))
        except DarkroomError:
            missing = None
        return {self.train.base: base_html(run, self.host),
                self.train.describe: gr.update(visible=missing is not None,
                                               value=f"Write {missing.name}" if missing else "")}

    def steps_of(self, run: Run) -> Markup:
        """The steps of a run, in words; nothing if its pictures cannot be read here."""
        try:
            return steps_summary(within_limits(run, self.host.folders))
        except DarkroomError:
            return NOTHING

    def steps_text(self, data: dict) -> Markup:
        """The steps of the run on the page; nothing if the page describes no valid run."""
        try:
            return self.steps_of(self.run_of(data, "any"))
        except DarkroomError:
            return NOTHING


def hidden_button(name: str) -> Any:
    return gr.Button(name, elem_id=f"darkroom_{name}", elem_classes=["darkroom-hidden"])
