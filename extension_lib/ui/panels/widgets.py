"""Small components that look the way the WebUI's own do."""

import inspect
from typing import Any

import gradio as gr

NAMES = "darkroom-names"  # class of lists of names that people gave, which no language changes


def unsaved(component: Any) -> Any:
    """The component, kept out of the WebUI's ui-config.json, which would freeze today's values as defaults."""
    component.do_not_save_to_config = True
    return component


def copied_by_button() -> dict[str, Any]:
    """What gives a text field a button that copies it; Gradio 6 calls it otherwise."""
    known = inspect.signature(gr.Textbox.__init__).parameters
    return {"show_copy_button": True} if "show_copy_button" in known else {"buttons": ["copy"]}


def small_button(text: str, elem_id: str) -> gr.Button:
    """A button as wide as its word, beside a field."""
    return gr.Button(text, elem_id=elem_id, elem_classes=["darkroom-small"])


def refresh_button(elem_id: str) -> gr.Button:
    """The WebUI's square refresh button."""
    return gr.Button("🔄", elem_id=elem_id, elem_classes=["tool", "darkroom-tool"])
