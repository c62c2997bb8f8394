"""Settings found by a word, and marked where they are not what they began as; javascript/settings.js does both on the page."""

import json
from html import escape
from typing import Any

import gradio as gr

from ...config.presets import is_personal
from ...config.run import Run
from ...settings import options
from .form import Form, Key, shown
from .widgets import small_button, unsaved

NOTHING = '<span class="darkroom-none" role="status">No setting contains these words.</span>'


class Marks:
    def __init__(self) -> None:
        self.search = gr.Textbox(label="Search the settings", max_lines=1, elem_id="darkroom_search",
                                 placeholder="rank, caption, memory: words from a setting's name or help")
        with gr.Row(elem_id="darkroom_changed_row"):
            self.only = gr.Checkbox(label="Only changed settings", value=False, elem_id="darkroom_only_changed")
            self.back_all = small_button("Reset all", "darkroom_back_all")
        self.starts = gr.HTML(elem_id="darkroom_starts")
        # javascript/settings.js writes the names of components here and presses the button.
        self.asked = gr.Textbox(label="Back", elem_id="darkroom_back", elem_classes=["darkroom-hidden"])
        self.back = gr.Button("back", elem_id="darkroom_back_go", elem_classes=["darkroom-hidden"])
        for made in (self.search, self.only, self.asked):
            unsaved(made)


def drawn(form: Form, run: Run) -> dict[Key, Any]:
    """The components of this run's settings, by section and name."""
    own = {("method", o.name): form.of_method[run.method.name, o.name] for o in options(run.method)}
    return {**form.components, **own}


def starts(form: Form, run: Run, start: Run) -> str:
    """HTML that tells the script of every setting what it began as and is now; what is one workspace's alone has no start."""
    known = {}
    for key, component in drawn(form, run).items():
        section, name = key
        option = next(o for o in options(getattr(run, section)) if o.name == name)
        now, began = (shown(option, getattr(getattr(r, section), name)) for r in (run, start))
        known[component.elem_id] = {"label": option.label, "now": now, "chosen": bool(option.choices),
                                    **({} if is_personal(*key) else {"start": began})}
    return f'<div class="darkroom-starts" data-starts="{escape(json.dumps(known))}" role="status"></div>{NOTHING}'


def gone_back(form: Form, start: Run, asked: str) -> dict[Any, Any]:
    """Updates that show how settings began: those whose components are named, or all that are not one workspace's alone."""
    wanted = set(asked.split()) or {c.elem_id for key, c in drawn(form, start).items() if not is_personal(*key)}
    return {component: update for component, update in form.updates(start).items() if component.elem_id in wanted}
