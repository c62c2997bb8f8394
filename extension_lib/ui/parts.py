"""Small components that look the way the WebUI's own do."""

from typing import Any

import gradio as gr


def unsaved(component: Any) -> Any:
    """The component, kept out of the WebUI's ui-config.json, which would freeze today's values as defaults."""
    component.do_not_save_to_config = True
    return component


def refresh_button(elem_id: str) -> gr.Button:
    """The WebUI's square refresh button."""
    return gr.Button("🔄", elem_id=elem_id, elem_classes=["tool", "darkroom-tool"])
