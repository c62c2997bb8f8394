"""When to keep what was learned, so that a crash costs minutes: at intervals, in a small share of the time."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SHARE = 0.02  # of the run's time, at most
BYTES_PER_SECOND = 100e6  # of a slow disk, until it was measured


class AutosaveTimer:
    """interval: seconds between two autosaves, 0 for none; size: bytes of what is written; clock: in seconds."""

    def __init__(self, interval: float, size: int = 0, clock: Callable[[], float] = time.monotonic):
        self.interval, self.clock = interval, clock
        self.started = self.last = clock()
        self.spent, self.expected = 0.0, size / BYTES_PER_SECOND

    def due(self) -> bool:
        """Whether the interval is over, and one more autosave stays within its share of the time."""
        now = self.clock()
        affordable = self.spent + self.expected <= SHARE * (now - self.started)
        return self.interval > 0 and now - self.last >= self.interval and affordable

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Within, something is kept; the time it takes counts."""
        begun = self.clock()
        yield
        self.last = self.clock()
        self.expected = self.last - begun
        self.spent += self.expected

    def saved(self) -> None:
        """Everything was saved for another reason: the interval begins anew."""
        self.last = self.clock()
