"""The studio: the folder in which the command line and the app keep everything, and what is said on the way."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..hosts.standalone import Standalone

HOME = Path(os.environ.get("DARKROOM_HOME") or Path(__file__).resolve().parents[2] / "studio")


def host() -> "Standalone":
    from ..hosts.standalone import Standalone

    return Standalone(HOME)


def say(*lines: object, to: Any = None, end: str = "\n") -> None:
    """Prints at once. Where nobody reads on, as in `| head`, the rest is not said and the work goes on."""
    stream = to or sys.stdout
    try:
        print(*lines, sep="\n", end=end, file=stream, flush=True)
    except BrokenPipeError:
        stop_talking(stream)


def stop_talking(stream: Any) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
