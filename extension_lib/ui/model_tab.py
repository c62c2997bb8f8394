"""The Model tab: create a workspace from a checkpoint, or choose one."""

from html import escape
from typing import Any

import gradio as gr

from .. import practice, presets, workspace
from ..disk import NameProblem
from ..host import Host, HostError, chosen
from ..run import Run
from ..settings import SettingError
from .live import message
from .parts import refresh_button, unsaved


class ModelTab:
    """Components and what they show; how a chosen workspace fills the other tabs is the page's business."""

    def __init__(self, host: Host):
        self.host = host
        with gr.Row():
            with gr.Column():
                gr.Markdown("### Your models")
                with gr.Row():
                    self.workspace = gr.Dropdown(choices=self.names(), value=self.newest(), label="Workspace",
                                                 elem_id="darkroom_workspace", info="Everything about one model in training.")
                    self.refresh_workspaces = refresh_button("darkroom_refresh_workspaces")
                self.about = gr.HTML(elem_id="darkroom_about")
            with gr.Column():
                gr.Markdown("### Create a model")
                self.name = gr.Textbox(label="Name", elem_id="darkroom_new_name", max_lines=1,
                                       info="Also the name you will type in the prompt: <lora:name:1>.")
                with gr.Row():
                    self.checkpoint = gr.Dropdown(choices=self.titles(), value=self.current(), label="Checkpoint to train on",
                                                  elem_id="darkroom_new_checkpoint", info="It is not changed.")
                    self.refresh_checkpoints = refresh_button("darkroom_refresh_checkpoints")
                self.create = gr.Button("Create", variant="primary", elem_id="darkroom_create")
                self.practice = gr.Button("Install the practice model", elem_id="darkroom_practice",
                                          visible=not practice.is_installed(host.folders.checkpoints) and host.name != "standalone")
                self.answer = gr.HTML(elem_id="darkroom_create_answer")
        for made in (self.workspace, self.name, self.checkpoint):
            unsaved(made)
        self.refresh_workspaces.click(lambda: gr.update(choices=self.names()), None, [self.workspace], queue=False)
        self.practice.click(self.installed, None, [self.answer, self.checkpoint], queue=False)
        self.refresh_checkpoints.click(lambda: gr.update(choices=self.titles()), None, [self.checkpoint], queue=False)

    def names(self) -> list[str]:
        return list(workspace.names(self.host.folders.workspaces))

    def newest(self) -> str | None:
        return next(iter(self.names()), None)

    def titles(self) -> list[str]:
        return [c.title for c in self.host.checkpoints()]

    def current(self) -> str | None:
        current = self.host.current()
        return current.title if current else None

    def installed(self) -> tuple[str, Any]:
        """The practice model among the checkpoints, chosen."""
        try:
            path = practice.install(self.host.folders.checkpoints)
        except (practice.PracticeError, OSError) as error:
            return message(str(error)), gr.update()
        self.host.refresh()
        title = next((c.title for c in self.host.checkpoints() if c.path == path), None)
        return (message("The practice model is among the checkpoints: a tiny world to try everything in.", good=True),
                gr.update(choices=self.titles(), value=title))

    def created(self, name: str, checkpoint: str) -> tuple[str | None, str]:
        """Makes the workspace; its name, or None, and the line to show."""
        try:
            base = chosen(self.host, checkpoint or "")
            start = presets.defaults("lora", base.preset)
            run = start.with_values({"output": {"name": name}, "base": {"checkpoint": base.title}})
            made = workspace.create(self.host.folders.workspaces, name, run)
        except (NameProblem, workspace.WorkspaceError, HostError, SettingError, OSError) as error:
            return None, message(str(error))
        note = f" Its settings come from {base.preset.name}, made for this checkpoint." if base.preset else ""
        return made.name, message(f"Created {made.name}. Now show Darkroom your pictures in the Concepts tab.{note}", good=True)

    def described(self, name: str | None) -> str:
        """What is known of a workspace, as HTML."""
        if not name:
            return '<div class="darkroom-about">Create your first model on the right.</div>'
        try:
            space = workspace.opened(self.host.folders.workspaces, name)
            run = space.run()
        except (NameProblem, workspace.WorkspaceError, SettingError) as error:
            return message(str(error))
        rows = {"Base": run.base.checkpoint, "Method": run.method.title, "Steps trained": str(space.lifetime),
                "Last run": last_run(space), "Folder": str(space.folder)}
        preset = self.preset_of(run)
        if preset:
            rows["Preset"] = preset
        cells = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
        return f'<table class="darkroom-about">{cells}</table>'

    def preset_of(self, run: Run) -> str:
        try:
            preset = chosen(self.host, run.base.checkpoint).preset
        except HostError:
            return ""
        return preset.name if preset else ""


def last_run(space: workspace.Workspace) -> str:
    logs = space.logs()
    lines: list[dict[str, Any]] = logs[-1].lines() if logs else []
    ended = next((line for line in reversed(lines) if line["what"] == "ended"), None)
    if ended:
        return str(ended["why"])
    return "running or broken off" if logs else "never"
