"""What those who watch a run may ask of the training loop."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Controls:
    """Requests from outside; the loop looks at them before each step."""

    stop_reason: Callable[[], str] = lambda: ""  # why to stop, or ""
    discard_reason: Callable[[], str] = lambda: ""  # why to stop without saving, or ""
    leave_reason: Callable[[], str] = lambda: ""  # why the program is about to end, or ""
    pause_requested: Callable[[], bool] = lambda: False  # whether to give the model back for a while
    pause_refused: Callable[[], None] = lambda: None  # called when the run cannot be paused
    wait_for_resume: Callable[[], None] = lambda: None  # returns when the run is continued or stopped
    take_save_request: Callable[[], bool] = lambda: False  # whether to save now; the request is then over
    draw_previews: Callable[[int], tuple[Path, ...]] = lambda step: ()  # the files of a step's previews
