"""Where a run's values come from before anyone changes them: the method's own, then those that belong to the checkpoint."""

from pathlib import Path
from typing import Any

from . import methods, toml
from .run import Run, from_dict, merged
from .settings import SettingError


def defaults(method: str, preset: Path | None = None) -> Run:
    """The run a person starts from. preset: a TOML file of sections, and of [methods.NAME.SECTION] for one method only.

    Raises SettingError for a preset that names what does not exist.
    """
    values: dict[str, Any] = merged({"method": {"name": method}}, methods.found()[method].prefers)
    if preset:
        own = toml.read(preset)
        by_method = own.pop("methods", {})
        unknown = set(by_method) - set(methods.found())
        if unknown:
            raise SettingError(f"{preset} names methods that do not exist: {', '.join(sorted(unknown))}.")
        values = merged(merged(values, own), by_method.get(method, {}))
    return from_dict(values)
