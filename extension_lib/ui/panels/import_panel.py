"""The Import part of the Model tab: another trainer's settings become a workspace."""

from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from ...config import presets
from ...config.effect import with_effects
from ...config.run import from_dict, merge_values
from ...data.limits import are_hidden, require_allowed, within_limits
from ...errors import DarkroomError
from ...host import Folders, Host, HostError, find_checkpoint
from ...settings import SettingError
from ...support.disk import exists, is_file, path_from_text
from ...workspaces import workspace
from ..views.html import html, joined
from ..views.job_view import message
from .widgets import unsaved


class ImportPanel:
    def __init__(self, host: Host):
        self.host = host
        with gr.Accordion("Import from another trainer", open=False, elem_id="darkroom_import"):
            self.path = gr.Textbox(label="File or folder", elem_id="darkroom_import_path", max_lines=1,
                                   visible=not are_hidden(host.folders),
                                   info="kohya's folders (10_name) or dataset TOML, settings saved by kohya_ss, a "
                                        "db_config.json of sd_dreambooth_extension, or Darkroom's own run.toml.")
            self.upload = gr.File(label="Or drop the file here", file_types=[".json", ".toml"],
                                  elem_id="darkroom_import_file", height=110)
            self.start = gr.Button("Import", elem_id="darkroom_import_go")
            self.answer = gr.HTML(elem_id="darkroom_import_answer")
        for field in (self.path, self.upload):
            unsaved(field)

    def import_settings(self, text: str, upload: Any, name: str, checkpoint: str) -> tuple[str | None, str]:
        """Creates the workspace.

        Returns its name, or None, and the report, with the settings that were not imported.
        """
        from ... import imports

        try:
            read = imports.read_settings(given_path(text, upload, self.host.folders))
            named, lost = self.checkpoint_for(read.values, checkpoint or "")
            name = (name or "").strip() or read.name
            values = merge_values(read.values, {"output": {"name": name}, "base": {"checkpoint": named}})
            said = from_dict(values)
            preset, kind = presets.about_checkpoint(self.host, said.base)
            start = presets.defaults(said.method.name, preset, kind=kind)
            run, ineffective = with_effects(start.with_values(values), start, kind.family if kind else None)
            made = workspace.create_workspace(self.host.folders.workspaces, name, within_limits(run, self.host.folders))
        except DarkroomError as error:
            return None, message(str(error))
        return made.name, import_report(made.name, [*lost, *read.dropped, *ineffective])

    def checkpoint_for(self, values: dict[str, Any], otherwise: str) -> tuple[str, list[str]]:
        """The name of the checkpoint that the file names, if this host has it, else of the one chosen on the page.

        Raises HostError.
        """
        named = str(values.get("base", {}).get("checkpoint", ""))
        try:
            return self.name_of(named or otherwise), []
        except HostError:
            if not named:
                raise
            return self.name_of(otherwise), [f"There is no checkpoint {named} here; {otherwise} is used instead."]

    def name_of(self, text: str) -> str:
        """The title of a listed checkpoint, else its path. Raises HostError."""
        found = find_checkpoint(self.host, text)
        return found.title if found in self.host.checkpoints() else str(found.path)


def given_path(text: str, upload: Any, folders: Folders) -> Path:
    """The typed path, else that of the dropped file, which is a path or an object, depending on Gradio's version.

    Raises SettingError, FolderError.
    """
    if typed := (text or "").strip().strip('"'):
        require_allowed(typed, folders)
    given = typed or (getattr(upload, "name", upload) if upload else "")
    if not given:
        raise SettingError("Enter the path of a file or folder, or drop a file.")
    path = path_from_text(given)
    if exists(path) and not path.is_dir() and not is_file(path):
        raise SettingError(f"{given} is neither a file nor a folder.")
    return path


def import_report(name: str, lost: list[str]) -> Markup:
    if not lost:
        return message(f"Imported as {name}, with all its settings.", good=True)
    return html('{}<ul class="darkroom-lost">{}</ul>',
                message(f"Imported as {name}. These settings could not be imported:", good=True),
                joined(html("<li>{}</li>", line) for line in lost))
