"""Darkroom's axes among those of the WebUI's X/Y/Z plot."""

from pathlib import Path
from typing import Any

from modules import scripts, shared

from ..compare import axes

LABEL = "[Darkroom] "


def add() -> None:
    """Called before the WebUI builds its page, once for each Reload UI."""
    for data in scripts.scripts_data:
        if data.script_class.__module__ == "xyz_grid.py":
            module = data.module
            module.axis_options[:] = [o for o in module.axis_options if not o.label.startswith(LABEL)]
            module.axis_options.extend(made(module.AxisOption))
            return


def made(option: Any) -> list[Any]:
    return [
        option(f"{LABEL}file", str, setter("name"), choices=lambda: axes.names(folder())),
        option(f"{LABEL}training step", str, setter("step"), choices=lambda: axes.steps(folder())),
        option(f"{LABEL}weight", float, setter("weight")),
    ]


def folder() -> Path:
    return Path(shared.cmd_opts.lora_dir)


def setter(field: str) -> Any:
    def apply(p: Any, value: Any, values: Any) -> None:
        p.prompt, p.darkroom_pick = axes.changed(p.prompt, getattr(p, "darkroom_pick", None), axes.newest(folder()),
                                                  **{field: value})
    return apply
