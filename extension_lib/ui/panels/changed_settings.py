"""The search over the settings, and marks on those that differ from their starting values.

javascript/settings.js does both on the page.
"""

import json
from typing import Any

import gradio as gr
from markupsafe import Markup

from ...config.presets import is_workspace_only
from ...config.run import Run
from ...families.family import Family
from ...settings import options
from ..views.html import html
from .form import Form, Key, display_value
from .widgets import small_button, unsaved

NO_MATCH = html('<span class="darkroom-none" role="status">No setting contains these words.</span>')


class ChangedSettings:
    def __init__(self) -> None:
        self.search = gr.Textbox(label="Search the settings", max_lines=1, elem_id="darkroom_search",
                                 placeholder="rank, caption, memory: words from a setting's name or help")
        with gr.Row(elem_id="darkroom_changed_row"):
            self.only = gr.Checkbox(label="Only changed settings", value=False, elem_id="darkroom_only_changed")
            self.reset_all = small_button("Reset all", "darkroom_back_all")
        self.starts = gr.HTML(elem_id="darkroom_starts")
        # javascript/settings.js writes the names of components here and presses the button.
        self.reset_ids = gr.Textbox(label="Back", elem_id="darkroom_back", elem_classes=["darkroom-hidden"])
        self.reset = gr.Button("back", elem_id="darkroom_back_go", elem_classes=["darkroom-hidden"])
        for field in (self.search, self.only, self.reset_ids):
            unsaved(field)


def components_of(form: Form, run: Run) -> dict[Key, Any]:
    """The components of this run's settings, by section and name."""
    own = {("method", o.name): form.method_components[run.method.name, o.name] for o in options(run.method)}
    return {**form.components, **own}


def starting_values(form: Form, run: Run, start: Run) -> Markup:
    """HTML that tells the script each setting's starting and current value.

    Settings that belong to one workspace alone have no starting value.
    """
    values = {}
    for key, component in components_of(form, run).items():
        section, name = key
        option = next(o for o in options(getattr(run, section)) if o.name == name)
        now, start_value = (display_value(option, getattr(getattr(r, section), name)) for r in (run, start))
        values[component.elem_id] = {"label": option.label, "now": now, "chosen": bool(option.choices),
                                       **({} if is_workspace_only(*key) else {"start": start_value})}
    return html('<div class="darkroom-starts" data-starts="{}" role="status"></div>{}', json.dumps(values), NO_MATCH)


def reset_updates(form: Form, start: Run, ids: str, family: Family | None = None) -> dict[Any, Any]:
    """Updates that show the starting values of the components with these ids.

    Without ids: of all settings but those that belong to one workspace alone.
    """
    chosen = set(
        ids.split()) or {c.elem_id
                         for key, c in components_of(form, start).items()
                         if not is_workspace_only(*key)}
    updates = form.updates(start, family)
    return {component: update for component, update in updates.items() if component.elem_id in chosen}
