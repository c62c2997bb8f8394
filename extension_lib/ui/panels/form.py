"""A form made from the settings: one component per option."""

from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr

from ... import methods
from ...config.effect import has_effect
from ...config.run import SECTIONS, Run, method_class
from ...families.family import Family
from ...settings import LINES, Option, options
from .widgets import unsaved

Key = tuple[str, str]  # section and option
STEPS = {int: 1, float: 0.01}


def build_component(option: Option, elem_id: str, visible: bool = True) -> Any:
    """The component that fits an option's kind, with its help beneath."""
    kind = component_class(option)
    lines = {"lines": 3} if option.kind == LINES else {"max_lines": 1} if kind is gr.Textbox else {}
    precision = {"precision": 0 if option.kind is int else None} if kind is gr.Number else {}
    return unsaved(kind(value=display_value(option, option.default), label=option.label, info=option.help,
                        elem_id=elem_id, visible=visible, **limits_of(option), **lines, **precision))


def component_class(option: Option) -> Any:
    """The class of component that fits an option's kind."""
    if option.choices:
        return gr.Dropdown
    if option.kind is bool:
        return gr.Checkbox
    if option.kind not in STEPS or option.small:
        return gr.Textbox
    bounded = option.min is not None and option.max is not None and option.max - option.min <= 2048
    return gr.Slider if bounded else gr.Number


def limits_of(option: Option) -> dict[str, Any]:
    """What a component of this option lets people choose."""
    if component_class(option) is gr.Slider:
        return {"minimum": option.min, "maximum": option.max, "step": STEPS[option.kind]}
    return {"choices": list(option.choices)} if option.choices else {}


def display_value(option: Option, value: Any) -> Any:
    """A setting's value as its component shows it."""
    if option.kind == LINES:
        return "\n".join(value)
    return f"{value:g}" if option.small else value


class Form:
    """Components by section and option.

    Methods with options of the same name and kind of component share one component, so that the page has fewer of them.
    Its label, help and limits are those of the chosen method.
    """

    def __init__(self) -> None:
        self.components: dict[Key, Any] = {}
        self.options: dict[Key, Option] = {}
        self.method_components: dict[Key, Any] = {}  # by method and option
        self.shared: dict[tuple[str, type, bool], Any] = {}  # by name, kind and whether it is advanced

    def draw(self, section: str, only: Iterable[str] | None = None, advanced: bool | None = None) -> None:
        """Draws a section's options here: those named, or those that are (not) advanced."""
        for option in options(SECTIONS[section]):
            named = (only is None or option.name in only) and (section, option.name) not in self.components
            if named and (advanced is None or option.advanced == advanced):
                self.options[section, option.name] = option
                self.components[section, option.name] = build_component(option, elem_id(section, option.name))

    def draw_methods(self, shown_first: str, advanced: bool) -> None:
        """Draws the options of all methods here; only those of shown_first are visible."""
        all_methods = methods.all_methods()
        for name in (shown_first, *(other for other in all_methods if other != shown_first)):
            for option in options(all_methods[name]):
                key = (option.name, component_class(option), option.advanced)
                if option.advanced == advanced:
                    if key not in self.shared:
                        self.shared[key] = build_component(option, self.unused_id(option), visible=name == shown_first)
                    self.method_components[name, option.name] = self.shared[key]

    def unused_id(self, option: Option) -> str:
        """With the kind of component at the end, where another kind has the plain name."""
        taken = any(option.name == name for name, *_ in self.shared)
        return elem_id("method", f"{option.name}_{component_class(option).__name__.lower()}" if taken else option.name)

    def all_components(self) -> list[Any]:
        return [*self.components.values(), *self.shared.values()]

    def values(self, data: Mapping[Any, Any], method: str) -> dict[str, dict[str, Any]]:
        """The page's values by section; for the methods, only those of the chosen one. Raises SettingError."""
        out: dict[str, dict[str, Any]] = {"method": {"name": method}}
        for (section, name), component in self.components.items():
            out.setdefault(section, {})[name] = data[component]
        for option in options(method_class(method)):
            out["method"][option.name] = data[self.method_components[method, option.name]]
        return out

    def updates(self, run: Run, family: Family | None = None) -> dict[Any, Any]:
        """What every component shows for this run; options that its method does not have are hidden, and those without
        effect on this family."""
        out = {component: gr.update(value=display_value(self.options[key], getattr(getattr(run, key[0]), key[1])),
                                    visible=has_effect(*key, family))
               for key, component in self.components.items()}
        out.update({component: gr.update(visible=False) for component in self.shared.values()})
        for option in options(run.method):
            value = display_value(option, getattr(run.method, option.name))
            out[self.method_components[run.method.name, option.name]] = gr.update(
                value=value, visible=has_effect("method", option.name, family), label=option.label, info=option.help,
                **limits_of(option))
        return out


def elem_id(section: str, name: str) -> str:
    return f"darkroom_{section}_{name}"
