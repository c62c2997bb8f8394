"""Alarms: signs in a run's numbers that something is wrong, each with what to do about it."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

from .. import memory
from ..config.run import Run
from ..events import Alarmed, Began, Event, Measured, Saved, Stepped

EFFECT_AFTER, NO_EFFECT = 100, 1e-3  # steps after which a loss that changed by less than this share has not changed
MAX_OVERFLOWS = 8  # in a row; fp16's loss scale needs a few to settle
NORM_GROWTH, LOSS_GROWTH = 50.0, 1.5  # times the first norm, times the first loss on fixed noise
RISES, RISE = 3, 1.02  # measurements since the lowest loss, and times that loss

SLOWER, USUAL, RECENT = 3.0, 20, 5  # times the median; steps that make a median, and those compared with it
KEPT_SECONDS = 400  # steps

Finding = tuple[str, str]  # what is wrong, what to do


@dataclass
class History:
    """What has happened so far, as much as alarms need."""

    run: Run
    stepped: Stepped | None = None
    start: int = 0  # step at which the run began
    skipped_in_a_row: int = 0
    measured: list[Measured] = field(default_factory=list)
    saved: list[tuple[int, str]] = field(default_factory=list)  # the step measured last, the copy's name
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_SECONDS))  # that the last steps took

    def add(self, event: Event, seconds: float) -> None:
        if isinstance(event, Began) and not self.stepped:
            self.start = event.start
        elif isinstance(event, Stepped):
            self.stepped = event
            self.seconds.append(seconds)
            self.skipped_in_a_row = self.skipped_in_a_row + 1 if event.skipped else 0
        elif isinstance(event, Measured):
            self.measured.append(event)
        elif isinstance(event, Saved) and self.measured:
            self.saved.append((self.measured[-1].step, event.path.stem))


def not_finite(history: History) -> Finding | None:
    remedy = ("Stop and discard, and train with a third of the learning rate; in half precision start the WebUI with "
              "--no-half.")
    if history.stepped and not math.isfinite(history.stepped.loss):
        return f"The loss of step {history.stepped.step} is not a number.", remedy
    if history.skipped_in_a_row >= MAX_OVERFLOWS:
        return (f"The gradient was not finite {history.skipped_in_a_row} times in a row, so nothing is being learned.",
                remedy)
    return None


def exploding(history: History) -> Finding | None:
    if len(history.measured) < 2:
        return None
    first, last = history.measured[0], history.measured[-1]
    remedy = "The learning rate is too high: stop and discard, and try a tenth of it."
    if first.norm and not last.norm < NORM_GROWTH * first.norm and not last.loss < first.loss:
        return f"The learned weights have grown to {last.norm / first.norm:.0f} times their size at the start.", remedy
    if not last.loss < LOSS_GROWTH * first.loss:
        return (f"The loss on fixed noise has grown from {first.loss:.4f} to {last.loss:.4f}: the model is breaking "
                "down.", remedy)
    return None


def no_effect(history: History) -> Finding | None:
    if not history.measured or history.start:
        return None
    first, last = history.measured[0], history.measured[-1]
    if last.step < max(EFFECT_AFTER, history.run.training.steps // 4):
        return None
    if any(abs(m.loss - first.loss) > NO_EFFECT * first.loss for m in history.measured):
        return None
    return (f"Nothing has changed in {last.step} steps: the loss on fixed noise is {last.loss:.4f}, as before the "
            "first.",
            "Stop and discard, and train with ten times the learning rate. Also check that the captions contain your "
            "trigger word.")


def overfitting(history: History) -> Finding | None:
    if not history.measured or not history.measured[-1].held_out:
        return None
    lowest, last = min(history.measured, key=lambda m: m.loss), history.measured[-1]
    since = [m for m in history.measured if m.step > lowest.step]
    if len(since) < RISES or not last.loss > RISE * lowest.loss:
        return None
    return (f"The loss on the held-out pictures was lowest at step {lowest.step} ({lowest.loss:.4f}) and has risen to "
            f"{last.loss:.4f}: the model now memorizes the training pictures.", advice_on_copies(history, lowest.step))


def advice_on_copies(history: History, step: int) -> str:
    """Which saved copy to use instead of going on."""
    if not history.saved:
        return (f"Stop, and train about {step} steps next time, or at a lower learning rate. 'Save every N steps' "
                "keeps copies to choose from.")
    name = min(history.saved, key=lambda saved: abs(saved[0] - step))[1]
    return f"Use the copy nearest to that step, {name}, instead of going on."


def spilling(history: History) -> Finding | None:
    seconds = list(history.seconds)
    if len(seconds) < USUAL + RECENT:
        return None
    usual, now = median(seconds[:-RECENT]), median(seconds[-RECENT:])
    if now < SLOWER * usual or not memory.is_full():
        return None
    return (f"Steps take {now:.1f} s instead of {usual:.1f} s, and the graphics card is full: its memory spills into "
            "the system's.",
            "Close other programs that use the card. If that does not help, pause, and use less: "
            f"{memory.advice(history.run)}.")


# By kind: the event after which it can show, and the check.
ALARMS: dict[str, tuple[type[Event], Callable[[History], Finding | None]]] = {
    "not finite": (Stepped, not_finite), "exploding": (Measured, exploding), "no effect": (Measured, no_effect),
    "overfitting": (Measured, overfitting), "spilling": (Stepped, spilling)}


def with_alarms(run: Run, events: Iterable[Event], clock: Callable[[], float] = time.monotonic) -> Iterator[Event]:
    """The events, with each alarm once, after the event that raised it. clock: in seconds."""
    history, began = History(run), clock()
    raised: set[str] = set()
    for event in events:
        seconds = clock() - began  # what others do with an event is no part of a step
        yield event
        history.add(event, seconds)
        yield from alarms_after(event, history, raised)
        began = clock()


def alarms_after(event: Event, history: History, raised: set[str]) -> Iterator[Alarmed]:
    """Those that this event raises for the first time."""
    if not isinstance(event, (Stepped, Measured)):
        return
    for kind, (after, check) in ALARMS.items():
        if kind not in raised and isinstance(event, after) and (finding := check(history)):
            raised.add(kind)
            yield Alarmed(event.step, kind, *finding)
