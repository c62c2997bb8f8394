"""A form drawn from settings: one component per option, nothing retyped."""

from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr

from ... import methods
from ...config.run import SECTIONS, Run
from ...settings import LINES, Option, options
from .widgets import unsaved

Key = tuple[str, str]  # section and option
STEPS = {int: 1, float: 0.01}


def component(option: Option, elem_id: str, visible: bool = True) -> Any:
    """The component that fits an option's kind, with its help beneath."""
    lines = {"lines": 3} if option.kind == LINES else {"max_lines": 1} if look_of(option) is gr.Textbox else {}
    whole = {"precision": 0 if option.kind is int else None} if look_of(option) is gr.Number else {}
    return unsaved(look_of(option)(value=shown(option, option.default), label=option.label, info=option.help, elem_id=elem_id,
                                   visible=visible, **limits(option), **lines, **whole))


def look_of(option: Option) -> Any:
    """The class of component that fits an option's kind."""
    if option.choices:
        return gr.Dropdown
    if option.kind is bool:
        return gr.Checkbox
    if option.kind not in STEPS or option.small:
        return gr.Textbox
    bounded = option.min is not None and option.max is not None and option.max - option.min <= 2048
    return gr.Slider if bounded else gr.Number


def limits(option: Option) -> dict[str, Any]:
    """What a component of this option lets people choose."""
    if look_of(option) is gr.Slider:
        return {"minimum": option.min, "maximum": option.max, "step": STEPS[option.kind]}
    return {"choices": list(option.choices)} if option.choices else {}


def shown(option: Option, value: Any) -> Any:
    """A setting's value as its component shows it."""
    if option.kind == LINES:
        return "\n".join(value)
    return f"{value:g}" if option.small else value


class Form:
    """Components by section and option. Methods with an option of the same name and look share one component, so that the page
    stays light; what it says and allows is then the chosen method's."""

    def __init__(self) -> None:
        self.components: dict[Key, Any] = {}
        self.options: dict[Key, Option] = {}
        self.of_method: dict[Key, Any] = {}  # by method and option
        self.slots: dict[tuple[str, type, bool], Any] = {}  # by name, look and whether it is advanced

    def draw(self, section: str, only: Iterable[str] | None = None, advanced: bool | None = None) -> None:
        """Draws a section's options here: those named, or those that are (not) advanced."""
        for option in options(SECTIONS[section]):
            named = only is None or option.name in only
            if named and (advanced is None or option.advanced == advanced) and (section, option.name) not in self.components:
                self.options[section, option.name] = option
                self.components[section, option.name] = component(option, elem_id(section, option.name))

    def draw_methods(self, shown_first: str, advanced: bool) -> None:
        """Draws the options of all methods here; those of one of them can be seen."""
        found = methods.found()
        for name in (shown_first, *(other for other in found if other != shown_first)):
            for option in options(found[name]):
                slot = (option.name, look_of(option), option.advanced)
                if option.advanced == advanced:
                    if slot not in self.slots:
                        twin = any(option.name == other for other, *_ in self.slots)
                        own = f"{option.name}_{look_of(option).__name__.lower()}" if twin else option.name
                        self.slots[slot] = component(option, elem_id("method", own), visible=name == shown_first)
                    self.of_method[name, option.name] = self.slots[slot]

    def everything(self) -> list[Any]:
        return [*self.components.values(), *self.slots.values()]

    def values(self, data: Mapping[Any, Any], method: str) -> dict[str, dict[str, Any]]:
        """The page's values as nested loose values; of the methods only the chosen one's."""
        out: dict[str, dict[str, Any]] = {"method": {"name": method}}
        for (section, name), made in self.components.items():
            out.setdefault(section, {})[name] = data[made]
        for option in options(methods.found()[method]):
            out["method"][option.name] = data[self.of_method[method, option.name]]
        return out

    def updates(self, run: Run) -> dict[Any, Any]:
        """What every component shows for this run; options that its method does not have are hidden."""
        out = {made: gr.update(value=shown(self.options[key], getattr(getattr(run, key[0]), key[1])))
               for key, made in self.components.items()}
        out.update({made: gr.update(visible=False) for made in self.slots.values()})
        for option in options(run.method):
            value = shown(option, getattr(run.method, option.name))
            out[self.of_method[run.method.name, option.name]] = gr.update(
                value=value, visible=True, label=option.label, info=option.help, **limits(option))
        return out


def elem_id(section: str, name: str) -> str:
    return f"darkroom_{section}_{name}"
