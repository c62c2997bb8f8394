"""The Model tab: create a workspace from a checkpoint, choose one, and put the others in order."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from markupsafe import Markup

from ...config import presets
from ...config.purposes import PURPOSES
from ...config.run import Run
from ...errors import DarkroomError
from ...families.kind import CheckpointKind
from ...families.prediction import FROM_FILE
from ...host import Host, find_checkpoint, without_hash
from ...runs import job as jobs
from ...setup import practice
from ...workspaces import rearrange, workspace
from ...workspaces.starting_run import starting_run
from ...workspaces.trained_family import require_same_family
from ..panels.import_panel import ImportPanel
from ..panels.method_choice import method_radio
from ..panels.widgets import NAMES, refresh_button, small_button, unsaved
from ..views.html import html, joined
from ..views.job_view import message
from ..views.workspace_tiles import last_run, tiles

# Standalone comes with the practice model; Forge recognises checkpoints of full size alone.
NOT_INSTALLED_IN = ("standalone", "forge")

Answer = Callable[[str], str]  # what to say about a change, given its result


class ModelTab:
    """Components and what they show; how a chosen workspace fills the other tabs is the page's business."""

    def __init__(self, host: Host):
        self.host = host
        with gr.Row():
            with gr.Column(scale=3):
                self.draw_workspaces()
            with gr.Column(scale=2):
                self.draw_new()
                self.importing = ImportPanel(host)
        for field in (self.workspace, self.picked, self.new_name, self.base, self.trash, self.name, self.checkpoint,
                      self.purpose, self.method):
            unsaved(field)
        self.practice.click(self.install_practice_model, None, [self.answer, self.checkpoint], queue=False)
        self.refresh_checkpoints.click(self.list_checkpoints, None, [self.checkpoint, self.base], queue=False)

    def draw_workspaces(self) -> None:
        gr.Markdown("### Your models")
        with gr.Row():
            self.workspace = gr.Dropdown(choices=self.workspace_names(), value=self.newest_workspace(),
                                         label="Workspace", elem_id="darkroom_workspace", elem_classes=[NAMES],
                                         info="Everything that belongs to one model.")
            self.refresh_workspaces = refresh_button("darkroom_refresh_workspaces")
        self.about = gr.HTML(elem_id="darkroom_about")
        # javascript/workspaces.js writes the name of the tile that was pressed here, and presses the button.
        self.picked = gr.Textbox(label="Picked", elem_id="darkroom_picked", elem_classes=["darkroom-hidden"])
        self.pick = gr.Button("pick", elem_id="darkroom_pick", elem_classes=["darkroom-hidden"])
        with gr.Accordion("Rename, duplicate, delete, restore", open=False, elem_id="darkroom_manage"):
            with gr.Row():
                self.new_name = gr.Textbox(label="New name", elem_id="darkroom_rename_to", max_lines=1,
                                           info="For the chosen workspace, or for its duplicate.")
                self.rename = small_button("Rename", "darkroom_rename")
                self.duplicate = small_button("Duplicate", "darkroom_duplicate")
                self.discard = small_button("Delete", "darkroom_delete")
            self.base = gr.Dropdown(choices=self.checkpoint_titles(), label="Train on another checkpoint",
                                    elem_id="darkroom_base_checkpoint", elem_classes=[NAMES],
                                    info="For a workspace from another computer, or to change to a newer checkpoint.")
            with gr.Row():
                self.trash = gr.Dropdown(choices=self.deleted_models(), label="Deleted models",
                                         elem_id="darkroom_trash", elem_classes=[NAMES],
                                         info="They stay in the trash folder until you empty it.")
                self.restore = small_button("Restore", "darkroom_restore")
            self.manage_answer = gr.HTML(elem_id="darkroom_manage_answer")

    def draw_new(self) -> None:
        gr.Markdown("### Create a model")
        self.name = gr.Textbox(label="Name", elem_id="darkroom_new_name", max_lines=1,
                               info="Also the name you will type in the prompt: <lora:name:1>.")
        with gr.Row():
            self.checkpoint = gr.Dropdown(choices=self.checkpoint_titles(), value=self.loaded_checkpoint(),
                                          label="Checkpoint to train on",
                                          elem_id="darkroom_new_checkpoint", elem_classes=[NAMES], info="It is not "
                                                                                                        "changed.")
            self.refresh_checkpoints = refresh_button("darkroom_refresh_checkpoints")
        self.purpose = gr.Radio(choices=[(choice.title, name) for name, choice in PURPOSES.items()],
                                value=next(iter(PURPOSES)), label="What it is for", elem_id="darkroom_new_purpose",
                                info=purpose_help())
        self.method = method_radio(Run().method.name, "darkroom_new_method",
                                   "LoRA is a good first choice. You can change it later.")
        self.create = gr.Button("Create", variant="primary", elem_id="darkroom_create")
        self.practice = gr.Button("Install the practice model", elem_id="darkroom_practice",
                                  visible=not practice.is_installed(self.host.folders.checkpoints)
                                  and self.host.name not in NOT_INSTALLED_IN)
        self.answer = gr.HTML(elem_id="darkroom_create_answer")

    def workspace_names(self) -> list[str]:
        return list(workspace.workspace_names(self.host.folders.workspaces))

    def deleted_models(self) -> list[str]:
        return rearrange.deleted_workspaces(self.host.folders.workspaces)

    def newest_workspace(self) -> str | None:
        return next(iter(self.workspace_names()), None)

    def checkpoint_titles(self) -> list[str]:
        return [c.title for c in self.host.checkpoints()]

    def list_checkpoints(self) -> tuple[Any, Any]:
        return gr.update(choices=self.checkpoint_titles()), gr.update(choices=self.checkpoint_titles())

    def loaded_checkpoint(self) -> str | None:
        current = self.host.current()
        return current.title if current else None

    def install_practice_model(self) -> tuple[str, Any]:
        """Installs the practice model and chooses it as the checkpoint."""
        try:
            path = practice.install(self.host.folders.checkpoints)
        except DarkroomError as error:
            return message(str(error)), gr.update()
        self.host.refresh()
        title = next((c.title for c in self.host.checkpoints() if c.path == path), None)
        answer = "The practice model is in the list of checkpoints now: a tiny model to try everything with."
        return message(answer, good=True), gr.update(choices=self.checkpoint_titles(), value=title)

    def create_workspace(self, name: str, checkpoint: str, purpose: str, method: str) -> tuple[str | None, str]:
        """Creates the workspace. Returns its name, or None, and the answer."""
        try:
            base = find_checkpoint(self.host, checkpoint or "")
            start = presets.defaults(method, base.preset, purpose, kind=self.host.kind(base))
            run = start.with_values({"output": {"name": name}, "base": {"checkpoint": base.title}})
            made = workspace.create_workspace(self.host.folders.workspaces, name, run, purpose)
        except DarkroomError as error:
            return None, message(str(error))
        note = f" Its settings come from {base.preset.name}, made for this checkpoint." if base.preset else ""
        return made.name, message(f"Created {made.name}. Next, choose your pictures in the Concepts tab.{note}",
                                  good=True)

    # ---- what the buttons do: each returns the workspace to show next (None if nothing changed) and the answer

    def rename_workspace(self, name: str | None, new: str) -> tuple[str | None, str]:
        return self.change_idle_workspace(name, lambda space: rearrange.rename(space, new).name,
                                          lambda new_name: f"Renamed {name} to {new_name}.")

    def duplicate_workspace(self, name: str | None, new: str) -> tuple[str | None, str]:
        return self.change_idle_workspace(name, lambda space: rearrange.duplicate(space, new).name,
                                          lambda copy: f"Created {copy}, a duplicate of {name}.")

    def delete_workspace(self, name: str | None) -> tuple[str | None, str]:
        return self.change_idle_workspace(name, lambda space: str(rearrange.move_to_trash(space)),
                                          lambda folder: f"Moved {name} to the trash ({folder}). Use Restore to undo.")

    def restore_workspace(self, deleted: str | None) -> tuple[str | None, str]:
        if not deleted:
            return None, message("Choose a deleted model first.")
        return self.try_change(lambda: rearrange.restore(self.host.folders.workspaces, deleted).name, deleted,
                               lambda restored: f"{restored} was restored.")

    def change_checkpoint(self, name: str | None, checkpoint: str) -> tuple[str | None, str]:
        def save_checkpoint(space: workspace.Workspace) -> str:
            base = find_checkpoint(self.host, checkpoint or "")
            require_same_family(space, self.host.kind(base), base.title)
            run, before = space.read_run(), starting_run(space, self.host)
            on_it = run.with_values({"base": {"checkpoint": base.title, "prediction": FROM_FILE}})
            after = presets.suitable(self.host, run.method.name, on_it.base, space.purpose)
            space.save_run(presets.with_new_start(on_it, before, after))
            return base.title

        return self.change_idle_workspace(name, save_checkpoint,
                                          lambda base: f"{name} is trained on {base} from now on.")

    def change_idle_workspace(self, name: str | None, change: Callable[[workspace.Workspace], str],
                              answer: Answer) -> tuple[str | None, str]:
        return self.try_change(lambda: change(self.idle_workspace(name)), name, answer)

    def try_change(self, change: Callable[[], str], name: str | None, answer: Answer) -> tuple[str | None, str]:
        try:
            result = change()
        except DarkroomError as error:
            return None, message(str(error))
        existing = self.workspace_names()
        shown = next((space for space in (result, name) if space in existing), None) or self.newest_workspace()
        return shown or "", message(answer(result), good=True)

    def idle_workspace(self, name: str | None) -> workspace.Workspace:
        """The workspace, when nothing is being trained in it. Raises WorkspaceError, Busy."""
        if not name:
            raise workspace.WorkspaceError("There is no workspace yet. Create one first.")
        space, running = workspace.open_workspace(self.host.folders.workspaces, name), jobs.running_job()
        if running and running.workspace.folder == space.folder:
            raise jobs.Busy(f"{name} is being trained. Wait for it, or stop it first.")
        return space

    # ---- what the tab shows

    def workspace_updates(self, name: str | None) -> dict[Any, Any]:
        """Updates of this tab's components for the chosen workspace."""
        try:
            base = workspace.open_workspace(self.host.folders.workspaces, name or "").read_run().base.checkpoint
        except DarkroomError:
            base = ""
        known = next((title for title in self.checkpoint_titles() if without_hash(title) == without_hash(base)), None)
        return {self.about: self.describe_workspaces(name), self.base: gr.update(value=known)}

    def describe_workspaces(self, name: str | None) -> Markup:
        """The tiles of all workspaces, and a table about the chosen one, as HTML."""
        spaces = workspace.list_workspaces(self.host.folders.workspaces)
        if not name or not spaces:
            return html('<div class="darkroom-about">Create your first model: give it a name, then press Create.</div>')
        return tiles(spaces, name, self.host.folders) + self.about_table(name)

    def about_table(self, name: str) -> Markup:
        try:
            space = workspace.open_workspace(self.host.folders.workspaces, name)
            run, purpose = space.read_run(), space.purpose
            preset, kind = presets.about_checkpoint(self.host, run.base)
            rows = {"Base": run.base.checkpoint, **kind_rows(kind), "Method": run.method.title,
                    "Steps trained": str(space.lifetime), "Last run": last_run(space), "Folder": str(space.folder)}
        except DarkroomError as error:
            return message(str(error))
        if purpose in PURPOSES:
            rows["For"] = PURPOSES[purpose].title
        if preset:
            rows["Preset"] = preset.name
        return html('<table class="darkroom-about">{}</table>',
                    joined(html("<tr><th>{}</th><td>{}</td></tr>", *row) for row in rows.items()))


def kind_rows(kind: CheckpointKind | None) -> dict[str, str]:
    """What the table says of a checkpoint's kind, as far as it is known."""
    family = {"Family": kind.family.title} if kind else {}
    return {**family, "Prediction": kind.prediction.title} if kind and kind.prediction else family


def purpose_help() -> str:
    return " ".join(f"{choice.title}: {choice.help}" for choice in PURPOSES.values())
