"""A run as text: TOML to copy, and TOML to paste; the part of the page where settings are kept."""

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


def written(run: Run) -> str:
    return toml.dump_toml(to_dict(run))


def applied(text: str, run: Run, start_of: Callable[[str], Run]) -> Run:
    """The run with what the text says; what it does not say stays, but another method begins as start_of says.

    Raises SettingError.
    """
    values = toml.parse_toml(text, "This text")
    method = as_section(values.get("method", {}), "method").get("name", run.method.name)
    if method != run.method.name and method in methods.found():
        run = presets.with_method_of(run, start_of(method))
    return run.with_values(values)
