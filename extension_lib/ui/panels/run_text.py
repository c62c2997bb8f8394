"""A run as TOML to copy and paste, and presets to save."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from ... import methods
from ...config import presets
from ...config.run import Run, as_section, to_dict
from ...support import toml
from .preset_row import PresetRow
from .widgets import copied_by_button, small_button, unsaved


class RunText:
    def __init__(self, row: PresetRow) -> None:
        with gr.Accordion("Save, copy or paste these settings", open=False, elem_id="darkroom_text"):
            row.draw_saving()
            self.text: Any = unsaved(gr.Textbox(
                label="TOML", lines=12, max_lines=30, elem_id="darkroom_toml", **copied_by_button(),
                info="All settings, pictures and prompts of this run. The command line reads it too."))
            with gr.Row():
                self.write = small_button("Write the current settings", "darkroom_toml_write")
                self.apply = small_button("Apply this text", "darkroom_toml_apply")
            self.answer = gr.HTML(elem_id="darkroom_toml_answer")


def run_as_toml(run: Run) -> str:
    return toml.dump_toml(to_dict(run))


def run_from_toml(text: str, run: Run, start_of: Callable[[str], Run]) -> Run:
    """The run with the values of the text; others stay as they are.

    Another method starts with the values of start_of(method). Raises SettingError.
    """
    values = toml.parse_toml(text, "This text")
    method = as_section(values.get("method", {}), "method").get("name", run.method.name)
    if method != run.method.name and method in methods.all_methods():
        run = presets.with_workspace_settings(run, start_of(method))
    return run.with_values(values)
