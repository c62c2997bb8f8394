"""A job as a page shows it: what it does, how long it will take, its loss."""

from html import escape

from ..events import Prepared, Saved, Stepped, Warned
from ..training.job import Job
from .curve import svg


def duration(seconds: float) -> str:
    minutes, hours = round(seconds / 60), seconds / 3600
    if seconds < 60:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{int(hours)} h {minutes % 60} min"


def panel(job: Job | None) -> str:
    """The live panel's HTML."""
    if job is None:
        return '<div class="darkroom-live">Nothing has been trained yet. Choose pictures, then press Train.</div>'
    stepped = [e for e in job.history if isinstance(e, Stepped)]
    steps = job.run.training.steps
    done = stepped[-1].step if stepped else 0
    saved = [e for e in job.history if isinstance(e, Saved)]
    parts = [f'<div class="darkroom-head"><b>{escape(job.run.output.name)}</b> <span>{escape(headline(job, done))}</span></div>',
             bar(share(job, done)),
             svg([e.step for e in stepped], [e.loss for e in stepped], steps, [e.step for e in saved])]
    if stepped:
        parts.append(f'<div class="darkroom-figures">Step {done} of {steps} · loss {stepped[-1].loss:.4f} · '
                     f'{of_class(stepped[-1])}rate {stepped[-1].rate:.2e}{skipped(stepped)}</div>')
    parts += [f'<div class="darkroom-warning">{escape(e.message)}</div>' for e in job.history if isinstance(e, Warned)][-5:]
    parts += [f'<div class="darkroom-saved">Saved {escape(e.path.name)}</div>' for e in saved[-3:]]
    running = "" if job.ended else ' data-running="1"'
    return f'<div class="darkroom-live"{running} data-step="{done}">{"".join(parts)}</div>'


def of_class(last: Stepped) -> str:
    return "" if last.class_loss is None else f"class pictures {last.class_loss:.4f} · "


def skipped(stepped: list[Stepped]) -> str:
    count = sum(e.skipped for e in stepped)
    return f" · {count} steps skipped (gradient overflow)" if count else ""


def headline(job: Job, done: int) -> str:
    if job.ended:
        return ("Failed: " if job.ended.failed else "") + job.ended.why
    if job.stop_why:
        return "Stopping after this step, then saving"
    if not done:
        return next((e.what for e in reversed(job.history) if isinstance(e, Prepared)), "Starting")
    left = job.seconds_left()
    return f"Training, {duration(left)} left" if left is not None else "Training"


def share(job: Job, done: int) -> float:
    if job.ended and not job.ended.failed:
        return 1.0
    return done / job.run.training.steps


def bar(share: float) -> str:
    percent = round(100 * share)
    return (f'<div class="darkroom-bar" role="progressbar" aria-valuenow="{percent}" aria-valuemin="0" aria-valuemax="100" '
            f'aria-label="Training progress"><div style="width:{percent}%"></div></div>')


def message(text: str, good: bool = False) -> str:
    """A line that answers a click."""
    if not text:
        return ""
    return f'<div class="darkroom-message {"good" if good else "bad"}" role="status">{escape(text)}</div>'
