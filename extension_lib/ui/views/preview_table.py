"""The previews as a table: a row per prompt, a column per step."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from ...data.pictures import PictureError, load_picture
from ...events import Previewed
from ...runs.job import Job
from ...runs.preferred import copies_of_step
from .data_url import data_url
from .html import NOTHING, html, joined

COLUMNS, SIDE = 10, 320  # the most steps that are shown, evenly spread; pixels of a picture's longer side


def preview_table(job: Job | None) -> Markup:
    """The table's HTML; empty before the first preview.

    A click on a picture enlarges it, one on a star prefers its copy.
    """
    previews = job.summary.previews.items() if job else []
    if not job or not previews:
        return NOTHING
    shown = evenly_spread(previews)
    head = joined(html('<th scope="col">{}{}</th>', event.step, star(job, event.step)) for event in shown)
    rows = joined(row(prompt, n, shown) for n, prompt in enumerate(prompts(job, len(previews[-1].paths))))
    return html('<div class="darkroom-film" tabindex="0" role="region" aria-label="Previews by step">'
                '<table><tr><th scope="col">step</th>{}</tr>{}</table></div>', head, rows)


def star(job: Job, step: int) -> Markup:
    """A button over a step at which a copy was saved; javascript/previews.js says which was pressed."""
    if not copies_of_step(job, step):
        return NOTHING
    preferred = step == job.preferred
    return html(' <button type="button" class="darkroom-star" data-step="{step}" aria-pressed="{pressed}" '
                'aria-label="Prefer the copy of step {step}" title="Prefer the copy of step {step}">{star}</button>',
                step=step, pressed=str(preferred).lower(), star="★" if preferred else "☆")


def prompts(job: Job, count: int) -> list[str]:
    """The prompt of each row; "" for a row that shows the first picture's prompt, where the settings name none."""
    return [*job.run.previews.prompts, *[""] * count][:count]


def row(prompt: str, number: int, shown: Sequence[Previewed]) -> Markup:
    cells = joined(
        html("<td>{}</td>", picture(e.paths[number], f"{prompt} at step {e.step}") if number < len(e.paths) else "")
        for e in shown)
    head = html('<th scope="row" translate="no">{}</th>', prompt) if prompt else html(
        '<th scope="row">first picture</th>')
    return html("<tr>{}{}</tr>", head, cells)


def picture(path: Path, title: str) -> Markup:
    """The picture with its title; empty when its file was deleted."""
    try:
        url = data_url(load_picture(path), SIDE)
    except PictureError:
        return NOTHING
    return html('<img src="{url}" alt="{title}" title="{title}" tabindex="0">', url=url, title=title.strip())


def evenly_spread(events: Sequence[Previewed]) -> list[Previewed]:
    """All, or as many as fit, evenly from the first to the last."""
    if len(events) <= COLUMNS:
        return list(events)
    return [events[round(n * (len(events) - 1) / (COLUMNS - 1))] for n in range(COLUMNS)]
