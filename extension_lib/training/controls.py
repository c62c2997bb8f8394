"""What those who watch a run may ask of it while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wishes:
    """What those who watch ask of the loop; it looks each step."""

    stopping: Callable[[], str] = lambda: ""  # why to stop, or ""
    discarding: Callable[[], str] = lambda: ""  # why to stop without saving, or ""
    pausing: Callable[[], bool] = lambda: False  # whether to give the model back for a while
    no_pause: Callable[[], None] = lambda: None  # told when that cannot be
    pause_over: Callable[[], None] = lambda: None  # waits until the run is continued or stopped
    saving: Callable[[], bool] = lambda: False  # whether to save now
    preview: Callable[[int], list[Any]] = lambda step: []  # draws the previews of a step
