"""Darkroom's axes among those of the WebUI's X/Y/Z plot."""

from collections.abc import Callable, Sequence
from typing import Any

from modules import scripts

from ...compare import axes
from ...compare.series import TAGGED, Series, find_series
from .folders import folders

LABEL = "[Darkroom] "


def add_axes() -> None:
    """Called before the WebUI builds its page, again at each Reload UI."""
    for data in scripts.scripts_data:
        if data.script_class.__module__ == "xyz_grid.py":
            module = data.module
            module.axis_options[:] = [o for o in module.axis_options if not o.label.startswith(LABEL)]
            module.axis_options.extend(make_axes(module.AxisOption))
            return


def make_axes(option: Any) -> list[Any]:
    return [
        make_axis(option, "file", str, axes.to_file, axes.series_labels),
        make_axis(option, "method", str, axes.to_method, axes.method_titles),
        make_axis(option, "training step", str, axes.to_step, axes.all_steps),
        make_axis(option, "weight", float, axes.to_weight),
    ]


def make_axis(option: Any, name: str, kind: type, change: Callable[..., Any],
              choices: Callable[..., list[str]] | None = None) -> Any:
    """change(library, value) gives the new pick for a value; it raises NoFile where there is none."""
    def apply(p: Any, value: Any, values: Any) -> None:
        files = callable_series()
        p.prompt, p.darkroom_pick = axes.change_prompt(p.prompt, getattr(p, "darkroom_pick", None), files,
                                                 change(files, value))

    def confirm(p: Any, values: Any) -> None:
        files = callable_series()
        for value in values:
            change(files, value)

    return option(LABEL + name, kind, apply, confirm=confirm, choices=choices and (lambda: choices(callable_series())))


def callable_series() -> Sequence[Series]:
    """The files that a tag can load."""
    return find_series(folders(), TAGGED)
