"""The copy that a person prefers by its previews."""

from collections.abc import Iterable
from pathlib import Path

from ..errors import DarkroomError
from ..events import Event, Previewed, Saved, Stepped
from ..export import card
from ..export.products import parts_of
from .job import Job


class NoCopy(DarkroomError, ValueError):
    """No copy was saved where it was asked for, or it is gone."""


def saves_by_step(history: Iterable[Event]) -> list[tuple[int, Saved]]:
    """Each copy with its step of this run; a copy's own number counts the workspace's lifetime."""
    out, step = [], 0
    for event in history:
        if isinstance(event, Stepped):
            step = event.step
        elif isinstance(event, Saved):
            out.append((step, event))
    return out


def copies_of_step(job: Job, step: int) -> list[Path]:
    """What was saved at this step of the run and is still there."""
    return [event.path for at, event in saves_by_step(list(job.history)) if at == step and event.path.exists()]


def prefer_copy(job: Job, step: int) -> list[Path]:
    """Marks the copy of this step, and gives its cards the step's first preview. Raises NoCopy, SaveError."""
    paths = copies_of_step(job, step)
    drawn = [e for e in list(job.history) if isinstance(e, Previewed) and e.step == step and e.images]
    if not paths or not drawn:
        raise NoCopy(f"There is no copy of step {step} any more.")
    job.preferred = step
    for path in paths:
        card.write_picture(card_picture_path(job, path), drawn[-1].images[0])
    return paths


def card_picture_path(job: Job, path: Path) -> Path:
    """Where the picture of a saved file belongs."""
    part = next(part for part in parts_of(job.run) if part.path(job.host.folders, path.stem) == path)
    return path.with_suffix(part.picture)
