"""A job as a page shows it: its state, its remaining time, its curves, its alarms and its saved copies.

All of it is drawn from the job's summary, so it costs the same after ten steps and after ten thousand.
"""

from html import escape

from ... import memory
from ...events import Alarmed, Measured, Warned
from ...runs.job import Job
from ...runs.summary import Copy, best_copy
from .curve import WIDTH, Line, legend, raw_and_smooth, svg

SMALL = 320, 110  # width and height of a curve in the corner of the page
COPIES, WARNINGS = 8, 5  # at most as many are shown, the newest


def duration(seconds: float) -> str:
    minutes, hours = round(seconds / 60), seconds / 3600
    if seconds < 60:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{int(hours)} h {minutes % 60} min"


def panel(job: Job | None) -> str:
    """The live panel's HTML."""
    if job is None:
        return '<div class="darkroom-live">Nothing has been trained yet. Choose pictures, then press Train.</div>'
    return framed(job, figures(job), *(alarm(event) for event in job.summary.alarms), loss_curves(job),
                  fixed_loss_curve(job), rate_curve(job),
                  *(warning(event) for event in job.summary.warnings[-WARNINGS:]), copies_table(job))


def short_panel(job: Job) -> str:
    """Name, progress and the loss since the first step."""
    return framed(job, loss_curves(job, SMALL))


def framed(job: Job, *parts: str) -> str:
    """These parts under the job's name and progress, with attributes that the page's scripts read."""
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
        return f"Paused after step {done}. The model is free for txt2img; press Continue to resume training."
    if job.pause_requested:
        return "Pausing after this step"
    left = job.seconds_left()
    if left is not None:
        return f"Training, {duration(left)} left"
    if done:
        return "Training"
    return job.summary.prepared.what if job.summary.prepared else "Starting"


def share(job: Job, done: int) -> float:
    if job.ended and not job.ended.failed and not job.ended.discarded:
        return 1.0
    return done / job.run.training.steps


def figures(job: Job) -> str:
    """The current numbers, each under its name."""
    last, measured = job.summary.stepped, job.summary.measured
    if not last:
        return ""
    values = [("step", f"{last.step} of {job.run.training.steps}"), ("loss", f"{last.loss:.4f}"),
              ("class pictures", "" if last.class_loss is None else f"{last.class_loss:.4f}"),
              (fixed_name(measured), f"{measured.loss:.4f}" if measured else ""), ("rate", f"{last.rate:.2e}"),
              ("pace", "" if job.ended or job.paused else pace(job)), ("memory", "" if job.ended else memory.usage()),
              ("skipped", str(job.summary.skipped or ""))]
    return '<dl class="darkroom-figures">' + "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in values if value) + "</dl>"


def fixed_name(measured: Measured | None) -> str:
    return "held out" if measured and measured.held_out else "fixed noise"


def pace(job: Job) -> str:
    per_step = job.summary.seconds_per_step()
    if not per_step:
        return ""
    return f"{per_step:.1f} s per step" if per_step >= 1 else f"{1 / per_step:.1f} steps/s"


def alarm(event: Alarmed) -> str:
    return (f'<div class="darkroom-alarm"><b>Step {event.step}.</b> {escape(event.message)} '
            f"<span>{escape(event.remedy)}</span></div>")


def warning(event: Warned) -> str:
    return f'<div class="darkroom-warning">{escape(event.message)}</div>'


def loss_curves(job: Job, size: tuple[int, int] = (WIDTH, 220)) -> str:
    """The loss of pictures, class pictures and fixed noise, with marks where copies were saved."""
    summary = job.summary
    if not summary.stepped:
        return ""
    of_class = summary.class_loss.means()
    lines = [*raw_and_smooth("class", of_class), *raw_and_smooth("instance", summary.loss.means()), fixed_line(job)]
    names = [("instance", "pictures"), *([("class", "class pictures")] if of_class else []),
             *([("fixed", fixed_name(summary.measured))] if summary.measured else [])]
    label = f"Loss by step, now {summary.stepped.loss:.4f}"
    return legend(names) + svg(lines, job.run.training.steps, label, saved_steps(job), *size)


def saved_steps(job: Job) -> list[int]:
    """The steps at which a copy was saved."""
    return [copy.step for copy in job.summary.copies]


def fixed_line(job: Job) -> Line:
    return Line("fixed", job.summary.fixed_loss.means(), dots=True)


def fixed_loss_curve(job: Job) -> str:
    """The loss on fixed noise on a scale of its own, because its small changes matter."""
    last, line = job.summary.measured, fixed_line(job)
    if not last or len(line.points) < 2:
        return ""
    what = "pictures held out" if last.held_out else "pictures trained on"
    return (legend([("fixed", f"{what}, with the same noise each time, unweighted")])
            + svg([line], job.run.training.steps, f"Loss on {what}, now {last.loss:.4f}", saved_steps(job), height=110,
                  unit="{:.4f}"))


def rate_curve(job: Job) -> str:
    last = job.summary.stepped
    if not last:
        return ""
    label = f"Learning rate, now {last.rate:.2e}"
    return legend([("rate", "learning rate")]) + svg(
        [Line("rate", job.summary.rate.means())], job.run.training.steps, label, height=80, unit="{:.0e}")


def copies_table(job: Job) -> str:
    """The saved copies that still exist, the newest first; the best one has a badge."""
    copies = [copy for copy in job.summary.copies if copy.exists]
    if not copies:
        return ""
    best = best_copy(copies)
    rows = "".join(copy_row(copy, copy == best, copy.step == job.preferred) for copy in reversed(copies[-COPIES:]))
    measured = job.summary.measured
    column = ("loss, held out" if measured.held_out else "loss, fixed noise") if measured else ""
    advice = "" if best or len(copies) < 2 or measured and measured.held_out else HOW_TO_FIND_THE_BEST
    return (f'<table class="darkroom-copies"><caption>Saved copies{advice}</caption>'
            f"<tr><th>step</th><th>file</th><th>{column}</th></tr>{rows}</table>")


def copy_row(copy: Copy, best: bool, preferred: bool) -> str:
    badges = (BEST if best else "") + (PREFERRED if preferred else "")
    loss = f"{copy.measured.loss:.4f}" if copy.measured and copy.measured.step == copy.step else ""
    return (f'<tr class="{"best" if badges else ""}"><td>{copy.step}</td><td>'
            f"{escape(copy.saved.path.name)}{badges}</td><td>{loss}</td></tr>")


BEST = ' <span class="darkroom-badge best" title="The lowest loss on the pictures held out">best</span>'
PREFERRED = ' <span class="darkroom-badge best" title="You chose it by its previews">your choice</span>'
HOW_TO_FIND_THE_BEST = '. <span>To see which is best, hold some pictures out (Pictures, "Pictures held out").</span>'


def bar(share: float, label: str = "Training progress") -> str:
    percent = round(100 * share)
    return (
        f'<div class="darkroom-bar" role="progressbar" aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100" '
        f'aria-label="{escape(label)}"><div style="width:{percent}%"></div></div>')


def message(text: str, good: bool = False) -> str:
    """A line that answers a click."""
    if not text:
        return ""
    return f'<div class="darkroom-message {"good" if good else "bad"}" role="status">{escape(text)}</div>'
