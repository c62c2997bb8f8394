"""Settings of a run found again: by words of their name and help, or because they are not what they began as."""

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
    def changed(self) -> bool:
        return self.value != self.start and not personal(self.section, self.option.name)

    def about(self, words: str) -> bool:
        """Whether all these words are in its name, section, label or help."""
        text = f"{self.section} {self.option.name} {self.option.label} {self.option.help}".lower()
        return all(word in text for word in words.lower().split())


def settings(run: Run, start: Run) -> list[Setting]:
    """All settings of a run. start: what it began as; another method's own settings began as that method's."""
    of_method = start.method if start.method.name == run.method.name else type(run.method)()
    pairs = [("method", run.method, of_method), *((name, getattr(run, name), getattr(start, name)) for name in SECTIONS)]
    return [Setting(section, o, getattr(now, o.name), getattr(before, o.name))
            for section, now, before in pairs for o in options(now)]


def found(run: Run, start: Run, words: str) -> list[Setting]:
    """What the words are about; without words, what is not as it began."""
    everything = settings(run, start)
    return [s for s in everything if s.about(words)] if words.strip() else [s for s in everything if s.changed]


def back(run: Run, start: Run, words: str) -> Run:
    """The run with those of the found settings that were changed as they began."""
    changes: dict[str, dict[str, Any]] = {}
    for setting in found(run, start, words):
        if setting.changed:
            changes.setdefault(setting.section, {})[setting.option.name] = setting.start
    return run.with_values(changes)
