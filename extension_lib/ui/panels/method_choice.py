"""The choice of a method: those to begin with come first, and javascript/methods.js folds the others away."""

from typing import Any

import gradio as gr

from ... import methods
from ...methods.base import Method


def method_radio(value: str, elem_id: str, info: str | None = None) -> Any:
    # Within each group the methods keep their order.
    ordered = sorted(methods.all_methods().items(), key=lambda item: not is_for_beginners(item[1]))
    first = sum(is_for_beginners(method) for _, method in ordered)
    return gr.Radio(choices=[(method.title, name) for name, method in ordered], value=value, label="Method", info=info,
                    elem_id=elem_id, elem_classes=[f"darkroom-first-{first}"])


def is_for_beginners(method: type[Method]) -> bool:
    """What a method says of itself is not true of its variants."""
    return bool(vars(method).get("for_beginners"))
