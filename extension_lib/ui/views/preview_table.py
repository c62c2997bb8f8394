"""The previews as a table: a row per prompt, a column per step."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from ...data.pictures import PictureError, load_picture
from ...events import Previewed
from ...runs.job import Job
from ...runs.preferred import copies_of_step
from .data_url import data_url

COLUMNS, SIDE = 10, 320  # the most steps that are shown, evenly spread; pixels of a picture's longer side


def preview_table(job: Job | None) -> str:
    """The table's HTML; empty before the first preview.

    A click on a picture enlarges it, one on a star prefers its copy.
    """
    previews = job.summary.previews.items() if job else []
    if not job or not previews:
        return ""
    shown = evenly_spread(previews)
    head = "".join(f'<th scope="col">{event.step}{star(job, event.step)}</th>' for event in shown)
    rows = "".join(row(prompt, n, shown) for n, prompt in enumerate(prompts(job, len(previews[-1].paths))))
    return ('<div class="darkroom-film" tabindex="0" role="region" aria-label="Previews by step">'
            f'<table><tr><th scope="col">step</th>{head}</tr>{rows}</table></div>')


def star(job: Job, step: int) -> str:
    """A button over a step at which a copy was saved; javascript/previews.js says which was pressed."""
    if not copies_of_step(job, step):
        return ""
    preferred = step == job.preferred
    return (f' <button type="button" class="darkroom-star" data-step="{step}" aria-pressed="{str(preferred).lower()}" '
            f'aria-label="Prefer the copy of step {step}" title="Prefer the copy of step {step}">'
            f'{"★" if preferred else "☆"}</button>')


def prompts(job: Job, count: int) -> list[str]:
    """The prompt of each row; "" for a row that shows the first picture's prompt, where the settings name none."""
    return [*job.run.previews.prompts, *[""] * count][:count]


def row(prompt: str, number: int, shown: Sequence[Previewed]) -> str:
    cells = "".join(
        f"<td>{picture(e.paths[number], f'{prompt} at step {e.step}') if number < len(e.paths) else ''}</td>"
        for e in shown)
    named = ' translate="no"' if prompt else ""
    return f'<tr><th scope="row"{named}>{escape(prompt or "first picture")}</th>{cells}</tr>'


def picture(path: Path, title: str) -> str:
    """The picture with its title; empty when its file was deleted."""
    title = escape(title.strip(), quote=True)
    try:
        return f'<img src="{data_url(load_picture(path), SIDE)}" alt="{title}" title="{title}" tabindex="0">'
    except PictureError:
        return ""


def evenly_spread(events: Sequence[Previewed]) -> list[Previewed]:
    """All, or as many as fit, evenly from the first to the last."""
    if len(events) <= COLUMNS:
        return list(events)
    return [events[round(n * (len(events) - 1) / (COLUMNS - 1))] for n in range(COLUMNS)]
