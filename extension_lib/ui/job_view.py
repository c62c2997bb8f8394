"""A job as a page shows it: what it does, how long it will take, its curves, its alarms and the copies it saved."""

from collections.abc import Sequence
from html import escape
from typing import TypeVar

from .. import memory
from ..events import Alarmed, Event, Measured, Prepared, Stepped, Warned
from ..runs.job import Job
from ..runs.preferred import saves_by_step
from ..training.measure import best_copy
from .curve import WIDTH, Line, legend, raw_and_smooth, svg

E = TypeVar("E", bound=Event)
SMALL = 320, 110  # width and height of a curve in the corner of the page
COPIES = 8  # as many of the saved copies are listed, the newest first


def duration(seconds: float) -> str:
    minutes, hours = round(seconds / 60), seconds / 3600
    if seconds < 60:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{int(hours)} h {minutes % 60} min"


def of_kind(job: Job, kind: type[E]) -> list[E]:
    return [event for event in list(job.history) if isinstance(event, kind)]


def panel(job: Job | None) -> str:
    """The live panel's HTML."""
    if job is None:
        return '<div class="darkroom-live">Nothing has been trained yet. Choose pictures, then press Train.</div>'
    stepped, measured = of_kind(job, Stepped), of_kind(job, Measured)
    return framed(job, figures(job, stepped, measured), *(alarm(event) for event in of_kind(job, Alarmed)),
                  losses(job, stepped, measured), alone(job, measured), rates(job, stepped),
                  *(f'<div class="darkroom-warning">{escape(e.message)}</div>' for e in of_kind(job, Warned)[-5:]), copies(job))


def in_short(job: Job) -> str:
    """Name, progress and the loss since the first step."""
    return framed(job, losses(job, of_kind(job, Stepped), of_kind(job, Measured), SMALL))


def framed(job: Job, *parts: str) -> str:
    """These parts under the job's name and progress, with what the page's scripts want to know of it."""
    done = job.step
    running = "" if job.ended else ' data-running="1"'
    return (f'<div class="darkroom-live"{running} data-step="{done}" data-created="{job.created}">'
            f'{head(job, done)}{bar(share(job, done))}{"".join(parts)}</div>')


def head(job: Job, done: int) -> str:
    badge = f'<span class="darkroom-badge {state(job)}">{state(job)}</span>'
    return (f'<div class="darkroom-head"><b translate="no">{escape(job.run.output.name)}</b> {badge} '
            f"<span>{escape(headline(job, done))}</span></div>")


def state(job: Job) -> str:
    if job.ended:
        return "failed" if job.ended.failed else "discarded" if job.ended.discarded else "done"
    if job.stop_reason or job.discard_reason:
        return "stopping"
    return "paused" if job.paused else "running"


def headline(job: Job, done: int) -> str:
    if job.ended:
        return f"Failed: {job.ended.why}" if job.ended.failed else job.ended.why
    if job.discard_reason:
        return "Stopping after this step. What was learned since the last save is discarded."
    if job.stop_reason:
        return "Stopping after this step, then saving"
    if job.paused:
        return f"Paused after step {done}. The model is free for txt2img; press Continue to go on."
    if job.pause_requested:
        return "Pausing after this step"
    left = job.seconds_left()
    if left is not None:
        return f"Training, {duration(left)} left"
    return next((e.what for e in reversed(job.history) if isinstance(e, Prepared)), "Starting") if not done else "Training"


def share(job: Job, done: int) -> float:
    if job.ended and not job.ended.failed and not job.ended.discarded:
        return 1.0
    return done / job.run.training.steps


def figures(job: Job, stepped: Sequence[Stepped], measured: Sequence[Measured]) -> str:
    """The numbers of now, each under its name."""
    if not stepped:
        return ""
    last = stepped[-1]
    told = [("step", f"{last.step} of {job.run.training.steps}"), ("loss", f"{last.loss:.4f}"),
            ("class pictures", "" if last.class_loss is None else f"{last.class_loss:.4f}"),
            (fixed_name(measured), f"{measured[-1].loss:.4f}" if measured else ""), ("rate", f"{last.rate:.2e}"),
            ("pace", "" if job.ended or job.paused else pace(job)), ("memory", "" if job.ended else memory.usage()),
            ("skipped", str(sum(e.skipped for e in stepped) or ""))]
    return '<dl class="darkroom-figures">' + "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in told if value) + "</dl>"


def fixed_name(measured: Sequence[Measured]) -> str:
    return "held out" if measured and measured[-1].held_out else "fixed noise"


def pace(job: Job) -> str:
    per_step = job.seconds_per_step()
    if not per_step:
        return ""
    return f"{per_step:.1f} s a step" if per_step >= 1 else f"{1 / per_step:.1f} steps/s"


def alarm(event: Alarmed) -> str:
    return (f'<div class="darkroom-alarm"><b>Step {event.step}.</b> {escape(event.message)} '
            f"<span>{escape(event.remedy)}</span></div>")


def losses(job: Job, stepped: Sequence[Stepped], measured: Sequence[Measured], size: tuple[int, int] = (WIDTH, 220)) -> str:
    """The loss of pictures, class pictures and fixed noise, with marks where copies were saved."""
    if not stepped:
        return ""
    of_class = [(e.step, e.class_loss) for e in stepped if e.class_loss is not None]
    lines = [*raw_and_smooth("class", of_class), *raw_and_smooth("instance", [(e.step, e.loss) for e in stepped]),
             fixed_line(measured)]
    names = [("instance", "pictures"), *([("class", "class pictures")] if of_class else []),
             *([("fixed", fixed_name(measured))] if measured else [])]
    label = f"Loss by step, now {stepped[-1].loss:.4f}"
    return legend(names) + svg(lines, job.run.training.steps, label, marks_of(job), *size)


def marks_of(job: Job) -> list[int]:
    """The steps at which a copy was saved."""
    return [step for step, _ in saves_by_step(list(job.history))]


def fixed_line(measured: Sequence[Measured]) -> Line:
    return Line("fixed", [(e.step, e.loss) for e in measured], dots=True)


def alone(job: Job, measured: Sequence[Measured]) -> str:
    """The loss on fixed noise on a scale of its own: it moves by little, and every move counts."""
    if len(measured) < 2:
        return ""
    what = "pictures held out" if measured[-1].held_out else "pictures trained on"
    return (legend([("fixed", f"{what}, with the same noise each time, unweighted")])
            + svg([fixed_line(measured)], job.run.training.steps, f"Loss on {what}, now {measured[-1].loss:.4f}", marks_of(job),
                  height=110, unit="{:.4f}"))


def rates(job: Job, stepped: Sequence[Stepped]) -> str:
    if not stepped:
        return ""
    return legend([("rate", "learning rate")]) + svg(
        [Line("rate", [(e.step, e.rate) for e in stepped])], job.run.training.steps, f"Learning rate, now {stepped[-1].rate:.2e}",
        height=80, unit="{:.0e}")


def copies(job: Job) -> str:
    """The saved copies that are still there, the newest first, with the best one's badge."""
    saved = [(step, event) for step, event in saves_by_step(list(job.history)) if event.path.exists()]
    if not saved:
        return ""
    found, at = best_copy(list(job.history)), {e.step: e for e in of_kind(job, Measured)}
    top = found.saved.path if found else None
    column = "<th>loss, held out</th>" if any(e.held_out for e in at.values()) else "<th>loss, fixed noise</th>"
    rows = []
    for step, event in reversed(saved[-COPIES:]):
        badges = (BEST if event.path == top else "") + (PREFERRED if step == job.preferred else "")
        loss = f"{at[step].loss:.4f}" if step in at else ""
        rows.append(f'<tr class="{"best" if badges else ""}"><td>{step}</td><td>{escape(event.path.name)}{badges}</td>'
                    f"<td>{loss}</td></tr>")
    return (f'<table class="darkroom-copies"><caption>Saved copies{why_no_best(at, len(saved)) if not found else ""}</caption>'
            f"<tr><th>step</th><th>file</th>{column if at else '<th></th>'}</tr>{''.join(rows)}</table>")


BEST = ' <span class="darkroom-badge best" title="The lowest loss on the pictures held out">best</span>'
PREFERRED = ' <span class="darkroom-badge best" title="You chose it by its previews">your choice</span>'


def why_no_best(at: dict[int, Measured], count: int) -> str:
    if count < 2 or any(e.held_out for e in at.values()):
        return ""
    return '. <span>To see which is best, hold some pictures out (Pictures, "Pictures held out").</span>'


def bar(share: float, label: str = "Training progress") -> str:
    percent = round(100 * share)
    return (f'<div class="darkroom-bar" role="progressbar" aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100" '
            f'aria-label="{escape(label)}"><div style="width:{percent}%"></div></div>')


def message(text: str, good: bool = False) -> str:
    """A line that answers a click."""
    if not text:
        return ""
    return f'<div class="darkroom-message {"good" if good else "bad"}" role="status">{escape(text)}</div>'
