"""Settings of a run that are not what they began as, and the way back."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from .presets import personal
from .run import SECTIONS, Run
from .settings import Option, options


@dataclass(frozen=True)
class Setting:
    """One setting as a run has it, and as it began."""

    section: str
    option: Option
    value: Any
    start: Any

    @property
    def key(self) -> tuple[str, str]:
        return self.section, self.option.name

    @property
    def changed(self) -> bool:
        return self.value != self.start and not personal(*self.key)


def settings(run: Run, start: Run) -> list[Setting]:
    """All settings of a run. start: what it began as; another method's own settings began as that method's."""
    of_method = start.method if start.method.name == run.method.name else type(run.method)()
    pairs = [("method", run.method, of_method), *((name, getattr(run, name), getattr(start, name)) for name in SECTIONS)]
    return [Setting(section, o, getattr(now, o.name), getattr(before, o.name))
            for section, now, before in pairs for o in options(now)]


def changed(run: Run, start: Run) -> list[Setting]:
    return [setting for setting in settings(run, start) if setting.changed]


def back(run: Run, start: Run, keys: Iterable[tuple[str, str]] | None = None) -> Run:
    """The run with these of its changed settings, or with all, as they began."""
    wanted = None if keys is None else set(keys)
    changes: dict[str, dict[str, Any]] = {}
    for setting in changed(run, start):
        if wanted is None or setting.key in wanted:
            changes.setdefault(setting.section, {})[setting.option.name] = setting.start
    return run.with_values(changes)
