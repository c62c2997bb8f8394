"""The translation of another trainer's settings: the values that were imported, and which were dropped and why."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Any

from .. import methods
from ..config.run import SECTIONS, from_dict
from ..data.folder import FolderError, find_all_pictures
from ..settings import SettingError, check_value, options

OFF: tuple[Any, ...] = (None, "", 0, "0", "none", "None", "{}", [], {})  # False is 0
SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant", "constant_with_warmup": "constant"}
NEAREST = {"cosine_with_restarts": "cosine", "cosine_annealing": "cosine", "cosine_annealing_with_restarts": "cosine",
           "cosine_with_min_lr": "cosine", "polynomial": "linear", "linear_with_warmup": "linear"}
FINDS_RATE = re.compile("prodigy|d-?adapt", re.IGNORECASE)  # such optimisers are given 1.0 and scale it themselves

Target = tuple[str, str]  # section and name of a setting


@dataclass(frozen=True)
class Imported:
    """Loose values of a run, a name for its workspace, and a line for each setting that was dropped."""

    values: dict[str, Any]
    name: str
    dropped: tuple[str, ...]


def beside(path: Path, other: Any) -> Path:
    """A file or folder that a file names: relative to it where it lies there, else as it is written."""
    near = path.parent / str(other)
    return near if near.exists() else Path(str(other))


@dataclass
class Translation:
    source: Mapping[str, Any]
    method: str = "lora"
    values: dict[str, Any] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.values["method"] = {"name": self.method}

    def take(self, key: str) -> Any:
        """The value of a key that the translation knows; None where it is blank."""
        self.seen.add(key)
        value = self.source.get(key)
        return None if value == "" else value

    def number(self, key: str) -> float:
        """The value as a number; 0 where it is blank or none."""
        try:
            return float(self.take(key) or 0)
        except (TypeError, ValueError):
            self.drop(key, "is not a number")
            return 0.0

    def put(self, target: Target, value: Any, key: str) -> None:
        """Sets one of our settings, or says why it cannot have this value. Blank ones keep our default."""
        section, name = target
        method = methods.all_methods()[self.method]
        known = {o.name: o for o in options(method if section == "method" else SECTIONS[section])}
        if value is None:
            return
        if name not in known:
            self.drop(key, f"{method.title} has no such setting")
            return
        try:
            self.values.setdefault(section, {})[name] = check_value(known[name], value, f"{section}.{name}")
        except SettingError as error:
            self.drop(key, str(error))

    def take_table(self, targets: Mapping[str, Target]) -> None:
        """Takes over the keys that mean the same here under another name."""
        for key, target in targets.items():
            if key in self.source:
                self.put(target, self.take(key), key)

    def drop(self, key: str, why: str) -> None:
        self.seen.add(key)
        value = shorten(str(self.source.get(key)), 60, placeholder=" ...")
        self.dropped.append(f"{key} = {value}: {why.rstrip('.')}.")

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

    def schedule(self, key: str) -> None:
        name = str(self.take(key) or "")
        if name in SCHEDULES:
            self.put(("training", "schedule"), SCHEDULES[name], key)
        elif name:
            near = NEAREST.get(name, "constant")
            self.put(("training", "schedule"), near, key)
            self.drop(key, f"{near} is the nearest setting")

    def optimizer(self, key: str, rates: Iterable[str]) -> bool:
        """Whether the rates that were made for this optimiser suit AdamW, which is what trains here; names them where
        not.
        """
        name = str(self.take(key) or "AdamW")
        if "adamw" in name.lower():
            return True
        if not FINDS_RATE.search(name):
            self.drop(key, "it is trained with AdamW, which may need other learning rates")
            return True
        self.drop(key, "it is trained with AdamW")
        for rate in rates:
            if self.take(rate) not in OFF:
                self.drop(rate, "was chosen for that optimizer; the method's own rate is kept")
        return False

    def resolution(self, key: str) -> None:
        """"512,650" or [512, 650]: as many pixels as a square of this side."""
        value = self.take(key)
        sides = value if isinstance(value, list) else re.findall(r"\d+", str(value or ""))
        if sides:
            self.put(("data", "resolution"), round(math.sqrt(int(sides[0]) * int(sides[-1]))), key)

    def per_epoch(self) -> int | None:
        """Steps in which every picture is seen; None where the pictures are not on this machine."""
        training = self.values.get("training", {})
        at_once = training.get("batch_size", 1) * training.get("accumulation", 1)
        try:
            run = from_dict({"concepts": self.values.get("concepts", ())})
            showings = sum(item.repeats for found in find_all_pictures(run) for item in found.items)
        except (FolderError, SettingError):
            return None
        return -(-showings // at_once) or None

    def epochs(self, key: str, target: Target) -> None:
        """A number of epochs as steps, where the pictures can be counted."""
        epochs, steps = self.number(key), self.per_epoch()
        if epochs and steps:
            self.put(target, round(epochs * steps), key)
        elif epochs:
            self.drop(key, "epochs can be converted to steps only where the pictures are")

    def warmup(self, key: str) -> None:
        """Steps of warming up, as a share of all steps, where those are known."""
        steps, whole = self.number(key), self.values.get("training", {}).get("steps")
        if self.take("lr_scheduler") == "constant":  # which has no warm-up there
            self.put(("training", "warmup"), 0.0, key)
        elif steps and whole:
            self.put(("training", "warmup"), min(0.5, steps / whole), key)
        elif steps:
            self.drop(key, "cannot be converted to a share, because the number of steps is unknown")
