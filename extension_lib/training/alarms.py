"""Alarms: signs in a run's numbers that it goes wrong, each with what to do about it."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ..config.run import Run
from ..events import Alarmed, Began, Event, Measured, Saved, Stepped

EFFECT_AFTER, NOTHING = 100, 1e-3  # steps before a run must have had an effect, and the share of the loss that is none
MAX_OVERFLOWS = 8  # in a row; fp16's loss scale needs a few to settle
GROWN, WORSE = 50.0, 1.5  # times the first norm, times the first loss on fixed noise
RISES, RISEN = 3, 1.02  # measurements since the lowest, and times its loss

Finding = tuple[str, str]  # what is seen, what to do


@dataclass
class History:
    """What has happened so far, as far as an alarm needs it."""

    run: Run
    stepped: Stepped | None = None
    began: int = 0
    skipped_in_a_row: int = 0
    measured: list[Measured] = field(default_factory=list)
    saved: list[tuple[int, str]] = field(default_factory=list)  # the step measured last, the copy's name

    def take(self, event: Event) -> None:
        if isinstance(event, Began) and not self.stepped:
            self.began = event.start
        elif isinstance(event, Stepped):
            self.stepped = event
            self.skipped_in_a_row = self.skipped_in_a_row + 1 if event.skipped else 0
        elif isinstance(event, Measured):
            self.measured.append(event)
        elif isinstance(event, Saved) and self.measured:
            self.saved.append((self.measured[-1].step, event.path.stem))


def not_finite(seen: History) -> Finding | None:
    remedy = "Stop and discard, and train with a third of the learning rate; in half precision start the WebUI with --no-half."
    if seen.stepped and not math.isfinite(seen.stepped.loss):
        return f"The loss of step {seen.stepped.step} is not a number.", remedy
    if seen.skipped_in_a_row >= MAX_OVERFLOWS:
        return f"The gradient was not finite {seen.skipped_in_a_row} times in a row, so nothing is being learned.", remedy
    return None


def exploding(seen: History) -> Finding | None:
    if len(seen.measured) < 2:
        return None
    first, last = seen.measured[0], seen.measured[-1]
    remedy = "The learning rate is too high: stop and discard, and try a tenth of it."
    if first.norm and not last.norm < GROWN * first.norm and not last.loss < first.loss:
        return f"What is learned has grown to {last.norm / first.norm:.0f} times its size at the start.", remedy
    if not last.loss < WORSE * first.loss:
        return f"The loss on fixed noise has grown from {first.loss:.4f} to {last.loss:.4f}: the model is coming apart.", remedy
    return None


def no_effect(seen: History) -> Finding | None:
    if not seen.measured or seen.began:
        return None
    first, last = seen.measured[0], seen.measured[-1]
    if last.step < max(EFFECT_AFTER, seen.run.training.steps // 4):
        return None
    if any(abs(m.loss - first.loss) > NOTHING * first.loss for m in seen.measured):
        return None
    return (f"Nothing has changed in {last.step} steps: the loss on fixed noise is {last.loss:.4f}, as it was before the first.",
            "Stop and discard, and train with ten times the learning rate. See also that the captions hold your trigger word.")


def overfitting(seen: History) -> Finding | None:
    if not seen.measured or not seen.measured[-1].held_out:
        return None
    lowest, last = min(seen.measured, key=lambda m: m.loss), seen.measured[-1]
    since = [m for m in seen.measured if m.step > lowest.step]
    if len(since) < RISES or not last.loss > RISEN * lowest.loss:
        return None
    return (f"The loss on the pictures held out was lowest at step {lowest.step} ({lowest.loss:.4f}) and has risen to "
            f"{last.loss:.4f}: what is learned now is copying.", advice_on_copies(seen, lowest.step))


def advice_on_copies(seen: History, step: int) -> str:
    """What to use instead of going on."""
    if not seen.saved:
        return (f"Stop, and train about {step} steps next time, or at a lower learning rate. 'Save every N steps' keeps copies "
                "to choose from.")
    return f"Use the copy nearest to that step, {min(seen.saved, key=lambda s: abs(s[0] - step))[1]}, rather than going on."


ALARMS: dict[str, Callable[[History], Finding | None]] = {
    "not finite": not_finite, "exploding": exploding, "no effect": no_effect, "overfitting": overfitting}


def with_alarms(run: Run, events: Iterable[Event]) -> Iterator[Event]:
    """The events, with each alarm once, behind the event that raised it."""
    seen, raised = History(run), set()
    for event in events:
        yield event
        seen.take(event)
        if not isinstance(event, (Stepped, Measured)):
            continue
        for kind, look in ALARMS.items():
            if kind not in raised and (found := look(seen)):
                raised.add(kind)
                yield Alarmed(event.step, kind, *found)
