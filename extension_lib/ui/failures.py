"""A guard around every event of the page: what fails is logged, and shown as a sentence."""

import inspect
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import gradio as gr

from ..errors import is_expected
from ..training.guard import Guard
from .views.html import html

TOASTS_ARE_HTML = not gr.__version__.startswith("3.")


def show_failures(blocks: gr.Blocks) -> None:
    """Puts a guard around every function of these blocks.

    Most errors that a person can put right never get here: the functions answer them.
    """
    functions = blocks.fns.values() if isinstance(blocks.fns, dict) else blocks.fns  # a list in Gradio 3
    for event in functions:
        if event.fn:
            event.fn = guarded_generator(event.fn) if inspect.isgeneratorfunction(event.fn) else guarded(event.fn)


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def call(*inputs: Any) -> Any:
        with Guard(function_name(function)) as guard:
            return function(*inputs)
        raise visible_error(guard)

    return call


def guarded_generator(function: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    @wraps(function)
    def call(*inputs: Any) -> Iterator[Any]:
        with Guard(function_name(function)) as guard:
            yield from function(*inputs)
        if guard.error:
            raise visible_error(guard)

    return call


def function_name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))


def visible_error(guard: Guard) -> gr.Error:
    """What Gradio shows in a corner of the page."""
    assert guard.error
    text = guard.reason if is_expected(guard.error) else f"This failed: {guard.reason}. See the console for details."
    error = gr.Error(str(html("{}", text)) if TOASTS_ARE_HTML else text)
    error.print_exception = False  # it is logged already; Gradio 3 prints it anyway
    return error
