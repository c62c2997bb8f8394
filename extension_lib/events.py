"""What can happen during a run, in small values: numbers, texts and paths."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Prepared:
    """Something was done on the way to the first step, such as reading pictures; share from 0 to 1."""

    what: str
    share: float


@dataclass(frozen=True)
class Began:
    """The first step is next, also after a pause. start: steps already done; steps: the step at which the run ends."""

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
    skipped_weights: int = 0  # whose gradient alone was not finite, where weights are updated during the backward pass
    class_loss: float | None = None  # of the class pictures alone, where there are some; loss is then the subject's


@dataclass(frozen=True)
class Measured:
    """The loss on fixed pictures, noise and timesteps: what steps and runs can be compared by."""

    step: int
    loss: float
    norm: float  # of all that is trained, together
    held_out: bool  # whether the pictures are kept out of training; else they are some of those trained on
    on: str = ""  # the same for the same pictures in the same size: only then do runs compare


@dataclass(frozen=True)
class Previewed:
    step: int
    paths: tuple[Path, ...]  # of the pictures, one per preview prompt


@dataclass(frozen=True)
class Saved:
    step: int
    path: Path


@dataclass(frozen=True)
class Autosaved:
    """What was learned is kept in the workspace, without a file for the prompt."""

    step: int


@dataclass(frozen=True)
class Warned:
    message: str


@dataclass(frozen=True)
class Alarmed:
    """A sign that the run goes wrong.

    kind is a key of training/alarms.py; message says what is seen, remedy what to do.
    """

    step: int
    kind: str
    message: str
    remedy: str


@dataclass(frozen=True)
class Paused:
    """The host has its model back until someone continues the run."""

    step: int


@dataclass(frozen=True)
class Ended:
    """The run is over; why is a sentence. failed: not by its own end and not by the user's wish.

    discarded: what was learned since the last save was dropped, as the user wished. leaving: the program ends, and what
    was learned is kept in the workspace alone.
    """

    step: int
    why: str
    failed: bool = False
    discarded: bool = False
    leaving: bool = False


Event = Prepared | Began | Stepped | Measured | Previewed | Saved | Autosaved | Warned | Alarmed | Paused | Ended
