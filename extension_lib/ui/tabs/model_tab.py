"""The Model tab: create a workspace from a checkpoint, choose one, and put the others in order."""

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from ...config import presets
from ...config.purposes import PURPOSES
from ...config.run import Run
from ...errors import DarkroomError
from ...host import Host, find_checkpoint, without_hash
from ...runs import job as jobs
from ...setup import practice
from ...workspaces import rearrange, workspace
from ..panels.import_panel import ImportPanel
from ..panels.method_choice import method_radio
from ..panels.widgets import NAMES, refresh_button, small_button, unsaved
from ..views.job_view import message
from ..views.workspace_tiles import cards, last_run

Said = Callable[[str], str]  # what is said of a change, by its result


class ModelTab:
    """Components and what they show; how a chosen workspace fills the other tabs is the page's business."""

    def __init__(self, host: Host):
        self.host = host
        with gr.Row():
            with gr.Column(scale=3):
                self.draw_own()
            with gr.Column(scale=2):
                self.draw_new()
                self.importing = ImportPanel(host)
        for made in (self.workspace, self.picked, self.new_name, self.base, self.trash, self.name, self.checkpoint, self.purpose,
                     self.method):
            unsaved(made)
        self.practice.click(self.installed, None, [self.answer, self.checkpoint], queue=False)
        self.refresh_checkpoints.click(self.refreshed, None, [self.checkpoint, self.base], queue=False)

    def draw_own(self) -> None:
        gr.Markdown("### Your models")
        with gr.Row():
            self.workspace = gr.Dropdown(choices=self.names(), value=self.newest(), label="Workspace",
                                         elem_id="darkroom_workspace", elem_classes=[NAMES],
                                         info="Everything that belongs to one model.")
            self.refresh_workspaces = refresh_button("darkroom_refresh_workspaces")
        self.about = gr.HTML(elem_id="darkroom_about")
        # javascript/workspaces.js writes the name of the card that was pressed here, and presses the button.
        self.picked = gr.Textbox(label="Picked", elem_id="darkroom_picked", elem_classes=["darkroom-hidden"])
        self.pick = gr.Button("pick", elem_id="darkroom_pick", elem_classes=["darkroom-hidden"])
        with gr.Accordion("Rename, duplicate, delete, restore", open=False, elem_id="darkroom_manage"):
            with gr.Row():
                self.new_name = gr.Textbox(label="New name", elem_id="darkroom_rename_to", max_lines=1,
                                           info="For the chosen workspace, or for its duplicate.")
                self.rename = small_button("Rename", "darkroom_rename")
                self.duplicate = small_button("Duplicate", "darkroom_duplicate")
                self.discard = small_button("Delete", "darkroom_discard")
            self.base = gr.Dropdown(choices=self.titles(), label="Train on another checkpoint",
                                    elem_id="darkroom_base_checkpoint", elem_classes=[NAMES],
                                    info="For a workspace from another computer, or to change to a newer checkpoint.")
            with gr.Row():
                self.trash = gr.Dropdown(choices=self.thrown_away(), label="Deleted models", elem_id="darkroom_trash",
                                         elem_classes=[NAMES], info="They stay in the trash folder until you empty it.")
                self.restore = small_button("Restore", "darkroom_restore")
            self.order = gr.HTML(elem_id="darkroom_manage_answer")

    def draw_new(self) -> None:
        gr.Markdown("### Create a model")
        self.name = gr.Textbox(label="Name", elem_id="darkroom_new_name", max_lines=1,
                               info="Also the name you will type in the prompt: <lora:name:1>.")
        with gr.Row():
            self.checkpoint = gr.Dropdown(choices=self.titles(), value=self.current(), label="Checkpoint to train on",
                                          elem_id="darkroom_new_checkpoint", elem_classes=[NAMES], info="It is not changed.")
            self.refresh_checkpoints = refresh_button("darkroom_refresh_checkpoints")
        self.purpose = gr.Radio(choices=[(choice.title, name) for name, choice in PURPOSES.items()], value=next(iter(PURPOSES)),
                                label="What it is for", elem_id="darkroom_new_purpose", info=purposes_help())
        self.method = method_radio(Run().method.name, "darkroom_new_method",
                                   "LoRA is a good first choice. You can change it later.")
        self.create = gr.Button("Create", variant="primary", elem_id="darkroom_create")
        self.practice = gr.Button("Install the practice model", elem_id="darkroom_practice",
                                  visible=not practice.is_installed(self.host.folders.checkpoints)
                                  and self.host.name != "standalone")
        self.answer = gr.HTML(elem_id="darkroom_create_answer")

    def names(self) -> list[str]:
        return list(workspace.workspace_names(self.host.folders.workspaces))

    def thrown_away(self) -> list[str]:
        return rearrange.deleted_workspaces(self.host.folders.workspaces)

    def newest(self) -> str | None:
        return next(iter(self.names()), None)

    def titles(self) -> list[str]:
        return [c.title for c in self.host.checkpoints()]

    def refreshed(self) -> tuple[Any, Any]:
        return gr.update(choices=self.titles()), gr.update(choices=self.titles())

    def current(self) -> str | None:
        current = self.host.current()
        return current.title if current else None

    def installed(self) -> tuple[str, Any]:
        """The practice model among the checkpoints, chosen."""
        try:
            path = practice.install(self.host.folders.checkpoints)
        except DarkroomError as error:
            return message(str(error)), gr.update()
        self.host.refresh()
        title = next((c.title for c in self.host.checkpoints() if c.path == path), None)
        return (message("The practice model is in the list of checkpoints now: a tiny model to try everything with.", good=True),
                gr.update(choices=self.titles(), value=title))

    def created(self, name: str, checkpoint: str, purpose: str, method: str) -> tuple[str | None, str]:
        """Makes the workspace; its name, or None, and the line to show."""
        try:
            base = find_checkpoint(self.host, checkpoint or "")
            start = presets.defaults(method, base.preset, purpose)
            run = start.with_values({"output": {"name": name}, "base": {"checkpoint": base.title}})
            made = workspace.create_workspace(self.host.folders.workspaces, name, run, purpose)
        except DarkroomError as error:
            return None, message(str(error))
        note = f" Its settings come from {base.preset.name}, made for this checkpoint." if base.preset else ""
        return made.name, message(f"Created {made.name}. Next, choose your pictures in the Concepts tab.{note}", good=True)

    # ---- order among workspaces: each gives the name to show now, or None where nothing happened, and the line to show

    def renamed(self, name: str | None, new: str) -> tuple[str | None, str]:
        return self.ordered(name, lambda space: rearrange.rename(space, new).name, lambda now: f"Renamed {name} to {now}.")

    def duplicated(self, name: str | None, new: str) -> tuple[str | None, str]:
        return self.ordered(name, lambda space: rearrange.duplicate(space, new).name,
                            lambda twin: f"Created {twin}, a duplicate of {name}.")

    def discarded(self, name: str | None) -> tuple[str | None, str]:
        return self.ordered(name, lambda space: str(rearrange.move_to_trash(space)),
                            lambda folder: f"Moved {name} to the trash ({folder}). Use Restore to undo.")

    def restored(self, thrown: str | None) -> tuple[str | None, str]:
        if not thrown:
            return None, message("Choose a deleted model first.")
        return self.done(lambda: rearrange.restore(self.host.folders.workspaces, thrown).name, thrown,
                         lambda back: f"{back} was restored.")

    def rebased(self, name: str | None, checkpoint: str) -> tuple[str | None, str]:
        def keep(space: workspace.Workspace) -> str:
            base = find_checkpoint(self.host, checkpoint or "")
            space.save_run(space.read_run().with_values({"base": {"checkpoint": base.title}}))
            return base.title

        return self.ordered(name, keep, lambda base: f"{name} is trained on {base} from now on.")

    def ordered(self, name: str | None, change: Callable[[workspace.Workspace], str], said: Said) -> tuple[str | None, str]:
        return self.done(lambda: change(self.idle(name)), name, said)

    def done(self, change: Callable[[], str], name: str | None, said: Said) -> tuple[str | None, str]:
        try:
            result = change()
        except DarkroomError as error:
            return None, message(str(error))
        left = self.names()
        shown = next((one for one in (result, name) if one in left), None) or self.newest()
        return shown or "", message(said(result), good=True)

    def idle(self, name: str | None) -> workspace.Workspace:
        """The workspace, when nothing is being trained in it. Raises WorkspaceError, Busy."""
        if not name:
            raise workspace.WorkspaceError("There is no workspace yet. Create one first.")
        space, running = workspace.open_workspace(self.host.folders.workspaces, name), jobs.running_job()
        if running and running.workspace.folder == space.folder:
            raise jobs.Busy(f"{name} is being trained. Wait for it, or stop it first.")
        return space

    # ---- what is shown of them

    def shows(self, name: str | None) -> dict[Any, Any]:
        """Updates of this tab's components for the chosen workspace."""
        try:
            base = workspace.open_workspace(self.host.folders.workspaces, name or "").read_run().base.checkpoint
        except DarkroomError:
            base = ""
        known = next((title for title in self.titles() if without_hash(title) == without_hash(base)), None)
        return {self.about: self.described(name), self.base: gr.update(value=known)}

    def described(self, name: str | None) -> str:
        """The cards of all workspaces and what is known of the chosen one, as HTML."""
        spaces = workspace.list_workspaces(self.host.folders.workspaces)
        if not name or not spaces:
            return '<div class="darkroom-about">Create your first model: give it a name, then press Create.</div>'
        return cards(spaces, name) + self.table(name)

    def table(self, name: str) -> str:
        try:
            space = workspace.open_workspace(self.host.folders.workspaces, name)
            run, purpose = space.read_run(), space.purpose
            rows = {"Base": run.base.checkpoint, "Method": run.method.title, "Steps trained": str(space.lifetime),
                    "Last run": last_run(space), "Folder": str(space.folder)}
        except DarkroomError as error:
            return message(str(error))
        if purpose in PURPOSES:
            rows["For"] = PURPOSES[purpose].title
        preset = presets.checkpoint_preset(self.host, run.base.checkpoint)
        if preset:
            rows["Preset"] = preset.name
        cells = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
        return f'<table class="darkroom-about">{cells}</table>'


def purposes_help() -> str:
    return " ".join(f"{choice.title}: {choice.help}" for choice in PURPOSES.values())
