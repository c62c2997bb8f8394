"""A form drawn from settings: one component per option, nothing retyped."""

from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr

from ..run import Run, all_sections, to_dict
from ..settings import LINES, Option, options
from .parts import unsaved

Key = tuple[str, str]  # section ("training" or "method (lora)"), option name
STEPS = {int: 1, float: 0.01}


def component(option: Option, elem_id: str) -> Any:
    """The component that fits an option's kind, with its help beneath."""
    made: Any
    common: dict[str, Any] = {"label": option.label, "info": option.help, "elem_id": elem_id}
    if option.choices:
        made = gr.Dropdown(choices=list(option.choices), value=option.default, **common)
    elif option.kind is bool:
        made = gr.Checkbox(value=option.default, **common)
    elif option.kind == LINES:
        made = gr.Textbox(value="\n".join(option.default), lines=3, **common)
    elif option.small:
        made = gr.Textbox(value=f"{option.default:g}", max_lines=1, **common)
    elif option.kind in STEPS and option.min is not None and option.max is not None and option.max - option.min <= 2048:
        made = gr.Slider(minimum=option.min, maximum=option.max, step=STEPS[option.kind], value=option.default, **common)
    elif option.kind in STEPS:
        made = gr.Number(value=option.default, precision=0 if option.kind is int else None, **common)
    else:
        made = gr.Textbox(value=option.default, max_lines=1, **common)
    return unsaved(made)


def shown(option: Option, value: Any) -> Any:
    """A setting's value as its component shows it."""
    if option.kind == LINES:
        return "\n".join(value)
    return f"{value:g}" if option.small else value


class Form:
    """Components by section and option."""

    def __init__(self) -> None:
        self.components: dict[Key, Any] = {}
        self.options: dict[Key, Option] = {}

    def draw(self, section: str, only: Iterable[str] | None = None, advanced: bool | None = None) -> None:
        """Draws a section's options here: those named, or those that are (not) advanced."""
        for option in options(all_sections()[section]):
            named = only is None or option.name in only
            if named and (advanced is None or option.advanced == advanced) and (section, option.name) not in self.components:
                self.options[section, option.name] = option
                self.components[section, option.name] = component(option, elem_id(section, option.name))

    def inputs(self) -> set[Any]:
        return set(self.components.values())

    def values(self, data: Mapping[Any, Any], method: str) -> dict[str, dict[str, Any]]:
        """The page's values as nested loose values; of the methods only the chosen one's."""
        out: dict[str, dict[str, Any]] = {}
        for (section, name), made in self.components.items():
            if section == method_section(method):
                out.setdefault("method", {"name": method})[name] = data[made]
            elif not section.startswith("method ("):
                out.setdefault(section, {})[name] = data[made]
        return out

    def updates(self, run: Run) -> dict[Any, Any]:
        """What every component shows for this run; methods that are not chosen show their defaults."""
        values = to_dict(run)
        out = {}
        for (section, name), made in self.components.items():
            if section == method_section(run.method.name):
                value = values["method"][name]
            elif section.startswith("method ("):
                value = self.options[section, name].default
            else:
                value = values[section][name]
            out[made] = gr.update(value=shown(self.options[section, name], value))
        return out


def method_section(name: str) -> str:
    return f"method ({name})"


def elem_id(section: str, name: str) -> str:
    return f"darkroom_{section}_{name}".replace(" (", "_").replace(")", "")
