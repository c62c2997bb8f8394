"""The WebUI's way in: the Darkroom tab and its axes in the X/Y/Z plot. Glue only."""

import gradio as gr
from modules import script_callbacks

from extension_lib.hosts import a1111_axes, webui
from extension_lib.ui.page import Page


def tabs() -> list[tuple[gr.Blocks, str, str]]:
    with gr.Blocks(analytics_enabled=False) as blocks:
        Page(webui.host())
    return [(blocks, "Darkroom", "darkroom")]


script_callbacks.on_before_ui(a1111_axes.add)
script_callbacks.on_ui_tabs(tabs)
