"""Small components that look the way the WebUI's own do."""

import gradio as gr


def refresh_button(elem_id: str) -> gr.Button:
    """The WebUI's square refresh button."""
    return gr.Button("🔄", elem_id=elem_id, elem_classes=["tool", "darkroom-tool"])
