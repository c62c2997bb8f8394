"""Presets: the row above the settings that applies one, and the row below them that saves one."""

from pathlib import Path

import gradio as gr

from ...config import presets
from ...config.purposes import GPUS, PURPOSES, Profile
from ...config.run import Run
from ...families.kind import CheckpointKind
from ...host import Host
from ...settings import SettingError
from ...workspaces.workspace import PRESETS, Workspace
from .widgets import small_button, unsaved

OWN = "My "  # before the name of a preset that the person saved


class PresetRow:
    def __init__(self, host: Host):
        self.folder: Path = host.folders.workspaces / PRESETS
        with gr.Row():
            self.choice = unsaved(gr.Dropdown(
                choices=self.preset_titles(), value=self.preset_titles()[0], label="Preset", scale=4,
                elem_id="darkroom_preset",
                info="For what you train, for the memory of your graphics card, or your own. You can save your own "
                     "below the settings."))
            self.apply = small_button("Apply", "darkroom_preset_apply")
            self.delete = small_button("Delete", "darkroom_preset_delete")
        self.answer = gr.HTML(elem_id="darkroom_preset_answer")

    def draw_saving(self) -> None:
        with gr.Row():
            self.name = unsaved(
                gr.Textbox(label="Save as your own preset", max_lines=1, scale=4, elem_id="darkroom_preset_name",
                           info="For other models too: the name and the pictures are not saved with it."))
            self.save = small_button("Save", "darkroom_preset_save")
        self.save_answer = gr.HTML(elem_id="darkroom_preset_saved")

    def preset_titles(self) -> list[str]:
        built_in = [choice.title for table in (PURPOSES, GPUS) for choice in table.values()]
        return [*built_in, *(self.own_title(name) for name in presets.saved_presets(self.folder))]

    def own_title(self, name: str) -> str:
        return OWN + name

    def delete_preset(self, title: str) -> str:
        """Moves an own preset to the trash; returns the answer. Raises SettingError."""
        if not title.startswith(OWN):
            raise SettingError("Only your own presets can be deleted. Their names begin with 'My'.")
        return f"Moved to the trash: {presets.delete_preset(self.folder, title.removeprefix(OWN))}."

    def apply_preset(self, title: str, run: Run, space: Workspace, preset: Path | None,
                     kind: CheckpointKind | None) -> tuple[Run, str]:
        """The run with this preset's values, and an explanation. A purpose becomes the workspace's own.

        preset: of the checkpoint; its values win. kind: what the checkpoint is. Raises SettingError, NameProblem.
        """
        if purpose := key_by_title(PURPOSES, title):
            changed = presets.with_purpose(run, purpose, preset, kind)
            space.update_about(purpose=purpose)
            return changed, PURPOSES[purpose].help
        if gpu := key_by_title(GPUS, title):
            changed = presets.with_gpu(run, gpu, preset, space.purpose, kind)
            return changed, memory_settings(changed)
        if not title.startswith(OWN):
            raise SettingError("Choose a preset first.")
        changed = presets.with_saved_preset(run, self.folder, title.removeprefix(OWN))
        return changed, "Name, checkpoint and pictures stay."


def memory_settings(run: Run) -> str:
    """What a graphics card decides, in sentences."""
    training = run.training
    how = ("Activations are recomputed: slower, and less memory." if training.checkpointing
           else "Activations are stored: faster, and more memory.")
    return (f"Batch size {training.batch_size}, gradient accumulation {training.accumulation}, optimizer "
            f"{training.optimizer}. {how}")


def key_by_title(table: dict[str, Profile], title: str) -> str:
    return next((key for key, choice in table.items() if choice.title == title), "")
