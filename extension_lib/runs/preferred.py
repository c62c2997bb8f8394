"""The copy that a person prefers by its previews."""

from pathlib import Path

from ..data.pictures import load_picture
from ..errors import DarkroomError
from ..export import card
from ..export.products import output_files
from .job import Job


class NoCopy(DarkroomError, ValueError):
    """No copy was saved at this step, or it has been deleted."""


def copies_of_step(job: Job, step: int) -> list[Path]:
    """The files that were saved at this step of the run and still exist."""
    return [copy.saved.path for copy in job.summary.copies if copy.step == step and copy.exists]


def prefer_copy(job: Job, step: int) -> list[Path]:
    """Marks the copy of this step; its card shows the first preview of the step.

    Raises NoCopy, PictureError, SaveError.
    """
    paths = copies_of_step(job, step)
    preview = next((event for event in job.summary.previews.items() if event.step == step), None)
    if not paths or not preview:
        raise NoCopy(f"The copy of step {step} no longer exists.")
    image = load_picture(preview.paths[0])
    job.preferred = step
    for path in paths:
        card.write_card_picture(card_picture_path(job, path), image)
    return paths


def card_picture_path(job: Job, path: Path) -> Path:
    """Where the card picture of a saved file is."""
    part = next(part for part in output_files(job.run) if part.path(job.host.folders, path.stem) == path)
    return path.with_suffix(part.picture)
