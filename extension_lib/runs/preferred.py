"""The copy that a person prefers by its previews."""

from collections.abc import Iterable
from pathlib import Path

from ..errors import DarkroomError
from ..events import Event, Previewed, Saved, Stepped
from ..export import card
from ..export.products import parts_of
from .job import Job


class NoCopy(DarkroomError, ValueError):
    """No copy was saved at this step, or it has been deleted."""


def saves_by_step(history: Iterable[Event]) -> list[tuple[int, Saved]]:
    """Each saved file with its step in this run; the number in its name counts all steps of the workspace."""
    out, step = [], 0
    for event in history:
        if isinstance(event, Stepped):
            step = event.step
        elif isinstance(event, Saved):
            out.append((step, event))
    return out


def copies_of_step(job: Job, step: int) -> list[Path]:
    """The files that were saved at this step of the run and still exist."""
    saves = saves_by_step(list(job.history))
    return [event.path for saved_at, event in saves if saved_at == step and event.path.exists()]


def prefer_copy(job: Job, step: int) -> list[Path]:
    """Marks the copy of this step; its card shows the first preview of the step. Raises NoCopy, SaveError."""
    paths = copies_of_step(job, step)
    previews = [e for e in list(job.history) if isinstance(e, Previewed) and e.step == step and e.images]
    if not paths or not previews:
        raise NoCopy(f"There is no copy of step {step} any more.")
    job.preferred = step
    for path in paths:
        card.write_picture(card_picture_path(job, path), previews[-1].images[0])
    return paths


def card_picture_path(job: Job, path: Path) -> Path:
    """Where the card picture of a saved file is."""
    part = next(part for part in parts_of(job.run) if part.path(job.host.folders, path.stem) == path)
    return path.with_suffix(part.picture)
