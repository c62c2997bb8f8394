"""The translation of another trainer's settings: the values that were imported, and which were dropped and why."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any

from .. import methods
from ..config.run import SECTIONS, Run, Training, from_dict
from ..data.folder import FolderError, Item, find_all_pictures
from ..data.plan import Plan
from ..settings import SettingError, check_value, options, to_float

OFF: tuple[Any, ...] = (None, "", 0, "0", "none", "None", "{}", [], {})  # False is 0
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant", "constant_with_warmup": "constant",
             "cosine_with_restarts": "cosine with restarts", "polynomial": "polynomial"}
NEAREST = {"cosine_annealing": "cosine", "cosine_annealing_with_restarts": "cosine with restarts",
           "cosine_with_min_lr": "cosine", "linear_with_warmup": "linear"}

LONGEST_WARMUP = next(o.max for o in options(Training) if o.name == "warmup") or 0.0
WITHOUT_CLASS_PROMPT = "what they show has no name, so class pictures are off; enter a class prompt and switch them on."

Target = tuple[str, str]  # section and name of a setting


@dataclass(frozen=True)
class Imported:
    """Loose values of a run, a name for its workspace, and a line for each setting that was dropped."""

    values: dict[str, Any]
    name: str
    dropped: tuple[str, ...]


def with_defaults(source: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as the other program sees them: what is absent or blank has its default."""
    return {**defaults, **{key: value for key, value in source.items() if value not in (None, "")}}


@dataclass
class Translation:
    source: Mapping[str, Any]
    method: str = "lora"
    values: dict[str, Any] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    names: Mapping[str, str] = field(default_factory=dict)  # of keys that the file itself calls otherwise

    def __post_init__(self) -> None:
        self.values["method"] = {"name": self.method}

    def take(self, key: str) -> Any:
        """The value of a key that the translation knows; None where it is blank."""
        self.seen.add(key)
        value = self.source.get(key)
        return None if value == "" else value

    def number(self, key: str) -> float:
        """The value as a number; 0 where it is blank or none."""
        return self.number_if_given(key) or 0.0

    def number_if_given(self, key: str) -> float | None:
        """The value as a number; None where it is blank, or, with a line, where it is none."""
        value = self.take(key)
        try:
            return None if value is None else to_float(value, key)
        except SettingError:
            self.drop(key, "is not a number")
            return None

    def put(self, target: Target, value: Any, key: str) -> None:
        """Sets one of our settings, or says why it cannot have this value. Blank ones keep our default."""
        section, name = target
        owner = methods.all_methods()[self.method] if section == "method" else SECTIONS[section]
        checked = None if value is None else self.checked(owner, name, value, key)
        if checked is not None:
            self.values.setdefault(section, {})[name] = checked

    def checked(self, owner: type, name: str, value: Any, key: str) -> Any:
        """The value as our setting takes it; None, and a line that says why, where it cannot."""
        known = {o.name: o for o in options(owner)}
        if name not in known:
            self.drop(key, f"{getattr(owner, 'title', owner.__name__)} has no such setting")
            return None
        try:
            return check_value(known[name], value, name)
        except SettingError as error:
            self.drop(key, str(error))
            return None

    def take_table(self, targets: Mapping[str, Target]) -> None:
        """Takes over the keys that mean the same here under another name."""
        for key, target in targets.items():
            if key in self.source:
                self.put(target, self.take(key), key)

    def drop(self, key: str, why: str) -> None:
        self.seen.add(key)
        value = shorten(str(self.source.get(key)), 60, placeholder=" ...")
        self.dropped.append(f"{self.names.get(key, key)} = {value}: {why.rstrip('.')}.")

    def drop_unknown(self, harmless: Iterable[str]) -> None:
        """Names every key that is switched on and was not taken; harmless ones change how it is computed, not what is
        learned.
        """
        for key, value in self.source.items():
            if key not in self.seen and key not in harmless and value not in OFF:
                self.drop(key, "has no counterpart")

    def finish(self, name: str) -> Imported:
        return Imported(self.values, name, tuple(self.dropped))

    # ---- what all trainers have

    def schedule(self, key: str, cycles: str, power: str, usual_cycles: float = 1.0) -> None:
        name = str(self.take(key) or "")
        ours = SCHEDULES.get(name) or NEAREST.get(name, "constant")
        if not name:
            return
        self.put(("training", "schedule"), ours, key)
        if name not in SCHEDULES:
            self.drop(key, f"{ours} is the nearest setting")
        if ours == "cosine with restarts":
            self.put(("training", "cycles"), self.number(cycles) or usual_cycles, cycles)
        if ours == "polynomial":
            self.put(("training", "power"), self.number(power) or 1.0, power)

    def resolution(self, key: str) -> None:
        """"512,650" or [512, 650]: as many pixels as a square of this side."""
        sides = re.findall(r"\d+", str(self.take(key) or ""))
        if sides:
            self.put(("data", "resolution"), side_of_square(sides[0], sides[-1]), key)

    def counted(self) -> tuple[Run, list[Item]] | None:
        """The run as far as it is known, and its pictures; None where they are not on this machine."""
        known = {name: value for name, value in self.values.items() if name in ("concepts", "data", "training")}
        try:
            run = from_dict(known)
            items = [item for found in find_all_pictures(run) for item in found.items]
        except (FolderError, SettingError):
            return None
        return (run, items) if items else None

    def showings(self) -> int | None:
        """How often pictures are seen in an epoch, each as often as it is repeated."""
        counted = self.counted()
        return counted and sum(item.repeats for item in counted[1])

    def per_epoch(self) -> int | None:
        """Steps in which every picture is seen, counted as the run counts them: a batch has pictures of one size."""
        counted = self.counted()
        return counted and -(-Plan(*counted).per_epoch // counted[0].training.accumulation)

    def epochs(self, key: str, target: Target) -> None:
        """A number of epochs as steps, where the pictures can be counted."""
        epochs, steps = self.number(key), self.per_epoch()
        if epochs and steps:
            self.put(target, whole(epochs * steps), key)
        elif epochs:
            self.drop_epochs(key)

    def drop_epochs(self, key: str) -> None:
        self.drop(key, "epochs can be converted to steps only where the pictures are")

    def warmup(self, key: str) -> None:
        """Steps of warming up, or their share."""
        steps = self.number(key)
        if self.take("lr_scheduler") == "constant":  # which has no warm-up there
            self.put(("training", "warmup"), 0.0, key)
        elif steps < 1:
            self.warmup_share(steps, key)
        else:
            self.put(("training", "warmup_steps"), whole(steps), key)

    def warmup_share(self, share: float, key: str) -> None:
        if share > LONGEST_WARMUP:
            self.drop(key, f"warm-up takes at most {LONGEST_WARMUP:.0%} of the steps here")
        self.put(("training", "warmup"), min(LONGEST_WARMUP, share), key)


def side_of_square(width: str, height: str) -> float:
    """The side of a square with as many pixels."""
    return whole(math.sqrt(float(width) * float(height)))


def whole(number: float, rounded: Callable[[float], int] = round) -> float:
    """Rounded, unless it is too large; the setting's own check then says so."""
    return rounded(number) if math.isfinite(number) else number
