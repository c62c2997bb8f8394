"""What can happen during a run."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Prepared:
    """Something was done on the way to the first step, such as reading pictures; share from 0 to 1."""

    what: str
    share: float


@dataclass(frozen=True)
class Began:
    """The first step is next. start: steps already done; steps: the step at which the run ends."""

    start: int
    steps: int
    pictures: int
    per_epoch: int


@dataclass(frozen=True)
class Stepped:
    step: int
    loss: float
    rate: float
    skipped: bool = False  # the gradient overflowed; nothing was changed
    class_loss: float | None = None  # of the class pictures alone, where there are some; loss is then the subject's


@dataclass(frozen=True)
class Previewed:
    step: int
    images: list[Any] = field(repr=False, compare=False)  # PIL images, one per preview prompt


@dataclass(frozen=True)
class Saved:
    step: int
    path: Path


@dataclass(frozen=True)
class Warned:
    message: str


@dataclass(frozen=True)
class Ended:
    """The run is over; why is a sentence. failed: not by its own end and not by the user's wish."""

    step: int
    why: str
    failed: bool = False


Event = Prepared | Began | Stepped | Previewed | Saved | Warned | Ended
