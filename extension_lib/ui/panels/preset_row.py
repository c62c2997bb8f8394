"""Presets: the row over the settings with purposes, cards and those a person has saved, and the row that saves one."""

from pathlib import Path

import gradio as gr

from ...config import presets
from ...config.purposes import GPUS, PURPOSES, Purpose
from ...config.run import Run
from ...host import Host
from ...settings import SettingError
from ...workspaces.workspace import PRESETS, Workspace
from .widgets import small_button, unsaved

OWN = "My "  # before the name of a preset that a person has saved


class PresetRow:
    def __init__(self, host: Host):
        self.folder: Path = host.folders.workspaces / PRESETS
        with gr.Row():
            self.choice = unsaved(gr.Dropdown(
                choices=self.titles(), value=self.titles()[0], label="Preset", scale=4, elem_id="darkroom_preset",
                info="For what you train, for the memory of your graphics card, or your own. You can save your own below the "
                     "settings."))
            self.apply = small_button("Apply", "darkroom_preset_apply")
            self.delete = small_button("Delete", "darkroom_preset_delete")
        self.answer = gr.HTML(elem_id="darkroom_preset_answer")

    def draw_saving(self) -> None:
        with gr.Row():
            self.name = unsaved(gr.Textbox(label="Save as your own preset", max_lines=1, scale=4,
                                           elem_id="darkroom_preset_name", info="For other models too: the name and the pictures "
                                                                                "are not saved with it."))
            self.save = small_button("Save", "darkroom_preset_save")
        self.saved = gr.HTML(elem_id="darkroom_preset_saved")

    def titles(self) -> list[str]:
        ready = [choice.title for table in (PURPOSES, GPUS) for choice in table.values()]
        return [*ready, *(self.own(name) for name in presets.saved_presets(self.folder))]

    def own(self, name: str) -> str:
        return OWN + name

    def deleted(self, title: str) -> str:
        """Moves a preset of a person's own aside; what to say of it. Raises SettingError, OSError."""
        if not title.startswith(OWN):
            raise SettingError("Only your own presets can be deleted. Their names begin with 'My'.")
        return f"Moved to the trash: {presets.delete_preset(self.folder, title.removeprefix(OWN))}."

    def applied(self, title: str, run: Run, space: Workspace, preset: Path | None) -> tuple[Run, str]:
        """The run with what a preset of this title decides, and what it is for. A purpose becomes the workspace's own.

        preset: the checkpoint's own, which knows better. Raises SettingError, NameProblem.
        """
        if purpose := key_of(PURPOSES, title):
            changed = presets.with_purpose(run, purpose, preset)
            space.update_about(purpose=purpose)
            return changed, PURPOSES[purpose].help
        if card := key_of(GPUS, title):
            return presets.with_gpu(run, card, preset, space.purpose), GPUS[card].help
        if not title.startswith(OWN):
            raise SettingError("Choose a preset first.")
        return presets.with_saved_preset(run, self.folder, title.removeprefix(OWN)), "Name, checkpoint and pictures stay."


def key_of(table: dict[str, Purpose], title: str) -> str:
    return next((key for key, choice in table.items() if choice.title == title), "")
