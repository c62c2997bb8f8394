"""A run in the queue: what was asked for, where it stands, and how it ended."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..config.run import Run, from_dict
from ..support.json_text import parse_json

# Where a run stands. INTERRUPTED: its program ended meanwhile, and someone is asked whether it goes on.
WAITING, RUNNING, HELD, INTERRUPTED = "waiting", "running", "held", "interrupted"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"
PENDING, OVER = (WAITING, RUNNING, HELD, INTERRUPTED), (DONE, FAILED, CANCELLED)
# What a person asks of a running one; whoever runs it looks at that.
CANCEL, HOLD, STOP, DISCARD = "cancel", "hold", "stop", "discard"


@dataclass(frozen=True)
class Row:
    """One run of the queue, as its table holds it."""

    id: int
    place: float  # the lower, the sooner
    state: str
    workspace: str
    settings: str  # the run, as JSON
    answer: str  # how it starts beside what is there already: one of runs.start.ANSWERS, or ""
    created: float
    name: str  # of what it leaves
    method: str
    steps: int
    sweep: str = ""  # the name of the sweep that it belongs to
    varied: str = "{}"  # which settings the sweep chose for it, as JSON
    request: str = ""
    reason: str = ""  # how it ended, or why it waits
    number: int | None = None  # of its workspace's newest state when it first began; None before
    began: float | None = None
    ended: float | None = None
    seconds: float = 0.0  # trained so far, before the present start

    def run(self) -> Run:
        """Raises SettingError for settings that this version does not have."""
        return from_dict(parse_json(self.settings))

    @property
    def changes(self) -> Mapping[str, Any]:
        """What its sweep chose for it."""
        return dict(json.loads(self.varied))
