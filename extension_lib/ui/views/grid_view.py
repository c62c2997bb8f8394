"""A grid as HTML: a table of small pictures that can be chosen, and the chosen one in full."""

import json
from html import escape

from ...compare.grid import Cell
from ...compare.infotext import KEY
from ...compare.saved_grids import Kept
from ...compare.sheet import column_title, row_title
from .data_url import address

THUMBNAIL = 192  # pixels
PIXELS = 128  # pictures up to this width are shown as they are, enlarged without blur


def table(kept: Kept) -> str:
    """A table for every prompt and seed; javascript/darkroom_compare.js tells which cell was clicked by data-cell."""
    name = f"{kept.folder.parent.parent.name}/{kept.folder.name}"
    small = {file: thumbnail(kept, n) for file, n in {c.file: n for n, c in enumerate(kept.cells) if c.file}.items()}
    tables = "".join(one_table(kept, small, prompt, seed) for prompt in kept.prompts for seed in kept.seeds)
    return f'<div class="darkroom-grid" data-grid="{escape(name)}">{tables}</div>'


def one_table(kept: Kept, small: dict[str, str], prompt: str, seed: int) -> str:
    numbers = {at.cell: n for n, at in enumerate(kept.cells)}
    heads = "".join(f'<th scope="col">{column_title(weight)}</th>' for weight in kept.weights)
    rows = []
    for step in kept.steps:
        cells = "".join(f"<td>{button(kept, numbers[Cell(step, w, prompt, seed)], small)}</td>" for w in kept.weights)
        rows.append(f'<tr><th scope="row">{row_title(step)}</th>{cells}</tr>')
    return (f'<table><caption><b translate="no">{escape(prompt)}</b> <span>seed {seed}</span></caption>'
            f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>")


def button(kept: Kept, number: int, small: dict[str, str]) -> str:
    at = kept.cells[number]
    if not at.file:
        return '<span class="darkroom-undrawn"></span>'
    words = f"{row_title(at.cell.step)}, {column_title(at.cell.weight)}, seed {at.cell.seed}"
    best = number == kept.best
    return (f'<button type="button" class="darkroom-cell{" best" if best else ""}" data-cell="{number}" '
            f'aria-pressed="{str(best).lower()}" aria-label="{words}" title="{words}"><img alt="" src="{small[at.file]}" '
            f'class="{shape(kept.picture.width)}"></button>')


def thumbnail(kept: Kept, number: int) -> str:
    image = kept.open(number)
    return address(image, kind="PNG") if image.width <= PIXELS else address(image, THUMBNAIL)


def shape(width: int) -> str:
    return "darkroom-pixels" if width <= PIXELS else ""


def chosen(kept: Kept, number: int) -> str:
    """The picture in full with what it is and how it was drawn; data-send is what goes to txt2img."""
    at, image = kept.at(number), kept.open(number)
    title = f"{kept.label}, {row_title(at.cell.step)}, {column_title(at.cell.weight)}, seed {at.cell.seed}"
    send = {"prompt": at.called, "negative": kept.picture.negative, "steps": kept.picture.steps, "cfg": kept.picture.cfg,
            "width": kept.picture.width, "height": kept.picture.height, "seed": at.cell.seed}
    return (f'<figure class="darkroom-chosen" data-send="{escape(json.dumps(send, ensure_ascii=False))}">'
            f'<button type="button" class="darkroom-enlarge" aria-label="Enlarge the picture"><img alt="{escape(title)}" '
            f'src="{address(image, kind="PNG")}" class="{shape(image.width)}"></button><figcaption>{escape(title)}</figcaption>'
            f'<pre>{escape(image.info.get(KEY, ""))}</pre></figure>')
