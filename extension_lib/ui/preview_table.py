"""Previews as a film: a row per prompt, a column per step."""

from collections.abc import Sequence
from html import escape
from typing import Any

from ..events import Previewed
from ..runs.job import Job
from ..runs.preferred import copies_of_step
from .data_url import address

COLUMNS, SIDE = 10, 320  # at most so many steps, spread over the run; pixels of a picture's longer side


def film(job: Job | None) -> str:
    """The film's HTML; empty before the first preview. A click on a picture enlarges it, one on a star prefers its copy."""
    drawn = [event for event in job.history if isinstance(event, Previewed) and event.images] if job else []
    if not job or not drawn:
        return ""
    shown = spread(drawn)
    head = "".join(f'<th scope="col">{event.step}{star(job, event.step)}</th>' for event in shown)
    rows = "".join(row(prompt, n, shown) for n, prompt in enumerate(prompts(job, len(drawn[-1].images))))
    return ('<div class="darkroom-film" tabindex="0" role="region" aria-label="Previews by step">'
            f'<table><tr><th scope="col">step</th>{head}</tr>{rows}</table></div>')


def star(job: Job, step: int) -> str:
    """A button over a step at which a copy was saved; javascript/previews.js says which was pressed."""
    if not copies_of_step(job, step):
        return ""
    chosen = step == job.preferred
    return (f' <button type="button" class="darkroom-star" data-step="{step}" aria-pressed="{str(chosen).lower()}" '
            f'aria-label="Prefer the copy of step {step}" title="Prefer the copy of step {step}">{"★" if chosen else "☆"}</button>')


def prompts(job: Job, count: int) -> list[str]:
    """Of each row; without any the first picture's prompt is drawn."""
    return [*job.run.previews.prompts, *[""] * count][:count]


def row(prompt: str, number: int, shown: Sequence[Previewed]) -> str:
    cells = "".join(f"<td>{picture(e.images[number], f'{prompt} at step {e.step}') if number < len(e.images) else ''}</td>"
                    for e in shown)
    named = ' translate="no"' if prompt else ""
    return f'<tr><th scope="row"{named}>{escape(prompt or "first picture")}</th>{cells}</tr>'


def picture(image: Any, said: str) -> str:
    said = escape(said.strip(), quote=True)
    return f'<img src="{address(image, SIDE)}" alt="{said}" title="{said}" tabindex="0">'


def spread(events: Sequence[Previewed]) -> list[Previewed]:
    """All, or as many as fit, evenly from the first to the last."""
    if len(events) <= COLUMNS:
        return list(events)
    return [events[round(n * (len(events) - 1) / (COLUMNS - 1))] for n in range(COLUMNS)]
