"""A job as a page shows it: its state, its remaining time, its curves, its alarms and its saved copies.

All of it is drawn from the job's summary, so it costs the same after ten steps and after ten thousand.
"""

from markupsafe import Markup

from ... import memory
from ...events import Alarmed, Measured, Warned
from ...runs.job import Job
from ...runs.summary import Copy, best_copy
from .curve import WIDTH, Line, legend, raw_and_smooth, svg
from .html import NOTHING, html, joined

SMALL = 320, 110  # width and height of a curve in the corner of the page
COPIES, WARNINGS = 8, 5  # at most as many are shown, the newest


def duration(seconds: float) -> str:
    minutes, hours = round(seconds / 60), seconds / 3600
    if seconds < 60:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{int(hours)} h {minutes % 60} min"


def panel(job: Job | None) -> Markup:
    """The live panel's HTML."""
    if job is None:
        return html('<div class="darkroom-live">Nothing is being trained. Choose pictures, then press Train.</div>')
    return framed(job, figures(job), *(alarm(event) for event in job.summary.alarms), loss_curves(job),
                  fixed_loss_curve(job), rate_curve(job),
                  *(warning(event) for event in job.summary.warnings[-WARNINGS:]), copies_table(job))


def short_panel(job: Job) -> Markup:
    """Name, progress and the loss since the first step."""
    return framed(job, loss_curves(job, SMALL))


def framed(job: Job, *parts: Markup) -> Markup:
    """These parts under the job's name and progress, with attributes that the page's scripts read."""
    done = job.step
    running = NOTHING if job.ended else html(' data-running="1"')
    return html('<div class="darkroom-live"{} data-step="{}" data-created="{}">{}{}{}</div>', running, done,
                job.created, head(job, done), bar(share(job, done)), joined(parts))


def head(job: Job, done: int) -> Markup:
    return html('<div class="darkroom-head"><b translate="no">{name}</b> <span class="darkroom-badge {state}">{state}'
                "</span> <span>{headline}</span></div>", name=job.run.output.name, state=state(job),
                headline=headline(job, done))


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


def figures(job: Job) -> Markup:
    """The current numbers, each under its name."""
    last, measured = job.summary.stepped, job.summary.measured
    if not last:
        return NOTHING
    values = [("step", f"{last.step} of {job.run.training.steps}"), ("loss", f"{last.loss:.4f}"),
              ("class pictures", "" if last.class_loss is None else f"{last.class_loss:.4f}"),
              (fixed_name(measured), f"{measured.loss:.4f}" if measured else ""), ("rate", f"{last.rate:.2e}"),
              ("pace", "" if job.ended or job.paused else pace(job)), ("memory", "" if job.ended else memory.usage()),
              ("skipped", str(job.summary.skipped or "")), ("skipped weights", str(job.summary.skipped_weights or ""))]
    return html('<dl class="darkroom-figures">{}</dl>', joined(
        html("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in values if value))


def fixed_name(measured: Measured | None) -> str:
    return "held out" if measured and measured.held_out else "fixed noise"


def pace(job: Job) -> str:
    per_step = job.summary.seconds_per_step()
    if not per_step:
        return ""
    return f"{per_step:.1f} s per step" if per_step >= 1 else f"{1 / per_step:.1f} steps/s"


def alarm(event: Alarmed) -> Markup:
    return html('<div class="darkroom-alarm"><b>Step {}.</b> {} <span>{}</span></div>', event.step, event.message,
                event.remedy)


def warning(event: Warned) -> Markup:
    return html('<div class="darkroom-warning">{}</div>', event.message)


def loss_curves(job: Job, size: tuple[int, int] = (WIDTH, 220)) -> Markup:
    """The loss of pictures, class pictures and fixed noise, with marks where copies were saved."""
    summary = job.summary
    if not summary.stepped:
        return NOTHING
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


def fixed_loss_curve(job: Job) -> Markup:
    """The loss on fixed noise on a scale of its own, because its small changes matter."""
    last, line = job.summary.measured, fixed_line(job)
    if not last or len(line.points) < 2:
        return NOTHING
    what = "pictures held out" if last.held_out else "pictures trained on"
    return (legend([("fixed", f"{what}, with the same noise each time, unweighted")])
            + svg([line], job.run.training.steps, f"Loss on {what}, now {last.loss:.4f}", saved_steps(job), height=110,
                  unit="{:.4f}"))


def rate_curve(job: Job) -> Markup:
    last = job.summary.stepped
    if not last:
        return NOTHING
    label = f"Learning rate, now {last.rate:.2e}"
    return legend([("rate", "learning rate")]) + svg(
        [Line("rate", job.summary.rate.means())], job.run.training.steps, label, height=80, unit="{:.0e}")


def copies_table(job: Job) -> Markup:
    """The saved copies that still exist, the newest first; the best one has a badge."""
    copies = [copy for copy in job.summary.copies if copy.exists]
    if not copies:
        return NOTHING
    best = best_copy(copies)
    rows = joined(copy_row(copy, copy == best, copy.step == job.preferred) for copy in reversed(copies[-COPIES:]))
    measured = job.summary.measured
    column = ("loss, held out" if measured.held_out else "loss, fixed noise") if measured else ""
    advice = NOTHING if best or len(copies) < 2 or measured and measured.held_out else HOW_TO_FIND_THE_BEST
    return html('<table class="darkroom-copies"><caption>Saved copies{}</caption>'
                "<tr><th>step</th><th>file</th><th>{}</th></tr>{}</table>", advice, column, rows)


def copy_row(copy: Copy, best: bool, preferred: bool) -> Markup:
    badges = (BEST if best else NOTHING) + (PREFERRED if preferred else NOTHING)
    loss = f"{copy.measured.loss:.4f}" if copy.measured and copy.measured.step == copy.step else ""
    return html('<tr class="{}"><td>{}</td><td>{}{}</td><td>{}</td></tr>', "best" if badges else "", copy.step,
                copy.saved.path.name, badges, loss)


BEST = html(' <span class="darkroom-badge best" title="The lowest loss on the pictures held out">best</span>')
PREFERRED = html(' <span class="darkroom-badge best" title="You chose it by its previews">your choice</span>')
HOW_TO_FIND_THE_BEST = html(
    '. <span>To see which is best, hold some pictures out (Pictures, "Pictures held out").</span>')


def bar(share: float, label: str = "Training progress") -> Markup:
    return html(
        '<div class="darkroom-bar" role="progressbar" aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100" '
        'aria-label="{label}"><div style="width:{percent}%"></div></div>', percent=round(100 * share), label=label)


def message(text: str, good: bool = False) -> Markup:
    """A line that answers a click."""
    if not text:
        return NOTHING
    return html('<div class="darkroom-message {}" role="status">{}</div>', "good" if good else "bad", text)
