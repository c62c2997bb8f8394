"""The summary of a job's events that a page shows: it is as large after ten thousand steps as after a thousand."""

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from ..events import Alarmed, Began, Ended, Event, Measured, Paused, Prepared, Previewed, Saved, Stepped, Warned

CURVE_POINTS = 512  # an even number
KEPT_COPIES, KEPT_PREVIEWS, KEPT_MESSAGES = 100, 40, 20
PACE_STEPS = 50  # the pace is that of the last steps

T = TypeVar("T")


class Point(NamedTuple):
    """Some neighbouring values of a curve: the last one's step, their sum and their number.

    Infinite ones do not count.
    """

    step: int
    total: float
    values: int

    @property
    def mean(self) -> float:
        return self.total / self.values if self.values else math.nan


def joined(one: Point, other: Point) -> Point:
    """Two neighbouring points as one."""
    return Point(other.step, one.total + other.total, one.values + other.values)


@dataclass
class Curve:
    """Values by step in at most CURVE_POINTS points.

    When it is full, every two neighbours become one point, their mean.
    """

    points: list[Point] = field(default_factory=list)
    per_point: int = 1
    in_last: int = 0  # values in the last point

    def add(self, step: int, value: float) -> None:
        point = Point(step, value, 1) if math.isfinite(value) else Point(step, 0.0, 0)
        if self.points and self.in_last < self.per_point:
            self.points[-1] = joined(self.points[-1], point)
            self.in_last += 1
            return
        if len(self.points) == CURVE_POINTS:
            self.points = [joined(*pair) for pair in zip(self.points[::2], self.points[1::2])]
            self.per_point *= 2
        self.points.append(point)
        self.in_last = 1

    def means(self) -> list[tuple[float, float]]:
        """(step, mean) of each point; the mean of values that are all infinite is no number."""
        return [(point.step, point.mean) for point in self.points]


@dataclass
class Spread(Generic[T]):
    """Some of the items that were added, evenly spread: the first, every second or fourth ..., and the newest."""

    limit: int
    count: int = 0
    every: int = 1
    kept: list[T] = field(default_factory=list)
    newest: T | None = None

    def add(self, item: T) -> None:
        self.newest = item
        if self.count % self.every == 0:
            self.kept = [*self.kept, item]
        if len(self.kept) > self.limit:
            self.kept, self.every = self.kept[::2], 2 * self.every
        self.count += 1

    def items(self) -> list[T]:
        kept, newest = self.kept, self.newest
        return kept if newest is None or kept[-1:] == [newest] else [*kept, newest]


class Copy(NamedTuple):
    """A saved file.

    step: of this run, where saved.step counts the workspace's lifetime; measured: the last loss before it.
    """

    step: int
    saved: Saved
    measured: Measured | None

    @property
    def exists(self) -> bool:
        return self.saved.path.exists()


def best_copy(copies: Sequence[Copy]) -> Copy | None:
    """The one with the lowest loss on held-out pictures; None where fewer than two steps can be compared."""
    compared = [(copy.measured.loss, n) for n, copy in enumerate(copies) if copy.measured and copy.measured.held_out]
    if len({copies[n].saved.step for _, n in compared}) < 2:
        return None
    return copies[min(compared)[1]]


@dataclass
class Summary:
    """Everything here is bounded. Only the job's thread adds; any thread may read."""

    last: Event | None = None
    prepared: Prepared | None = None
    stepped: Stepped | None = None
    measured: Measured | None = None
    step: int = 0  # the last one that is done
    skipped: int = 0  # steps that changed nothing
    skipped_weights: int = 0  # weights that a step left as they were
    loss: Curve = field(default_factory=Curve)
    class_loss: Curve = field(default_factory=Curve)
    rate: Curve = field(default_factory=Curve)
    fixed_loss: Curve = field(default_factory=Curve)
    saves: int = 0
    copies: list[Copy] = field(default_factory=list)
    previews: Spread[Previewed] = field(default_factory=lambda: Spread(KEPT_PREVIEWS))
    warnings: list[Warned] = field(default_factory=list)
    alarms: list[Alarmed] = field(default_factory=list)
    # when the last steps ended
    times: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=PACE_STEPS))
    first_time: float | None = None  # when the first step since the start, or the last pause, ended

    def add(self, event: Event) -> None:
        self.last = event
        match event:
            case Prepared():
                self.prepared = event
            case Began():
                self.times.clear()  # a pause is no part of the pace
                self.first_time = None
            case Stepped():
                self.add_step(event)
            case Measured():
                self.measured = event
                self.fixed_loss.add(event.step, event.loss)
            case Previewed():
                self.previews.add(event)
            case Saved():
                self.add_copy(event)
            case Warned():
                self.warnings = [*self.warnings, event][-KEPT_MESSAGES:]
            case Alarmed():
                self.alarms = [*self.alarms, event][-KEPT_MESSAGES:]
            case Paused() | Ended():
                self.step = event.step

    def add_step(self, event: Stepped) -> None:
        now = time.monotonic()
        self.times.append((now, event.step))
        self.first_time = now if self.first_time is None else self.first_time
        self.loss.add(event.step, event.loss)
        if event.class_loss is not None:
            self.class_loss.add(event.step, event.class_loss)
        self.rate.add(event.step, event.rate)
        self.skipped += event.skipped
        self.skipped_weights += event.skipped_weights
        self.step, self.stepped = event.step, event

    def add_copy(self, event: Saved) -> None:
        """When there are too many, those that were deleted are dropped, then the oldest that is not the best."""
        self.saves += 1
        copies = [*self.copies, Copy(self.stepped.step if self.stepped else 0, event, self.measured)]
        if len(copies) > KEPT_COPIES:
            copies = [copy for copy in copies if copy.exists]
        if len(copies) > KEPT_COPIES:
            best = best_copy(copies)
            copies.remove(next(copy for copy in copies if copy != best))
        self.copies = copies

    def seconds_per_step(self) -> float | None:
        """The pace of the last steps, with all that was done between them; None before there is one."""
        times = list(self.times)
        if len(times) < 2:
            return None
        (began, first), (ended, last) = times[0], times[-1]
        return max(0.0, ended - began) / max(1, last - first)  # a clock may be set back

    def seconds_trained(self) -> float:
        """From the end of the first step to the end of the last."""
        times = list(self.times)
        return times[-1][0] - (self.first_time or 0.0) if times else 0.0
