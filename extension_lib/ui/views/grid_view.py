"""A grid as HTML: a table of small pictures to choose from, and the chosen one in full size."""

import json
from html import escape

from ...compare.grid import Cell
from ...compare.infotext import KEY
from ...compare.saved_grids import SavedGrid
from ...compare.sheet import column_title, row_title
from .data_url import data_url

THUMBNAIL = 192  # pixels
PIXELS = 128  # pictures up to this width are enlarged without blur


def grid_html(grid: SavedGrid) -> str:
    """A table for every prompt and seed; javascript/darkroom_compare.js reads the clicked cell from data-cell."""
    name = f"{grid.folder.parent.parent.name}/{grid.folder.name}"
    small = {file: thumbnail(grid, n) for file, n in {c.file: n for n, c in enumerate(grid.cells) if c.file}.items()}
    tables = "".join(grid_table(grid, small, prompt, seed) for prompt in grid.prompts for seed in grid.seeds)
    return f'<div class="darkroom-grid" data-grid="{escape(name)}">{tables}</div>'


def grid_table(grid: SavedGrid, small: dict[str, str], prompt: str, seed: int) -> str:
    numbers = {cell.cell: n for n, cell in enumerate(grid.cells)}
    heads = "".join(f'<th scope="col">{column_title(weight)}</th>' for weight in grid.weights)
    rows = []
    for step in grid.steps:
        cells = "".join(f"<td>{cell_button(grid, numbers[Cell(step, weight, prompt, seed)], small)}</td>"
                        for weight in grid.weights)
        rows.append(f'<tr><th scope="row">{row_title(step)}</th>{cells}</tr>')
    return (f'<table><caption><b translate="no">{escape(prompt)}</b> <span>seed {seed}</span></caption>'
            f"<thead><tr><td></td>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>")


def cell_button(grid: SavedGrid, number: int, small: dict[str, str]) -> str:
    cell = grid.cells[number]
    if not cell.file:
        return '<span class="darkroom-undrawn"></span>'
    words = f"{row_title(cell.cell.step)}, {column_title(cell.cell.weight)}, seed {cell.cell.seed}"
    best = number == grid.best
    return (f'<button type="button" class="darkroom-cell{" best" if best else ""}" data-cell="{number}" '
            f'aria-pressed="{str(best).lower()}" aria-label="{words}" title="{words}">'
            f'<img alt="" src="{small[cell.file]}" class="{pixel_class(grid.picture.width)}"></button>')


def thumbnail(grid: SavedGrid, number: int) -> str:
    image = grid.open(number)
    return data_url(image, kind="PNG") if image.width <= PIXELS else data_url(image, THUMBNAIL)


def pixel_class(width: int) -> str:
    return "darkroom-pixels" if width <= PIXELS else ""


def chosen_picture(grid: SavedGrid, number: int) -> str:
    """The picture in full size with its infotext. data-send holds what is sent to txt2img."""
    cell, image = grid.at(number), grid.open(number)
    title = f"{grid.label}, {row_title(cell.cell.step)}, {column_title(cell.cell.weight)}, seed {cell.cell.seed}"
    send = {"prompt": cell.called, "negative": grid.picture.negative, "steps": grid.picture.steps,
            "cfg": grid.picture.cfg, "width": grid.picture.width, "height": grid.picture.height, "seed": cell.cell.seed}
    return (
        f'<figure class="darkroom-chosen" data-send="{escape(json.dumps(send, ensure_ascii=False))}">'
        f'<button type="button" class="darkroom-enlarge" aria-label="Enlarge the picture"><img alt="{escape(title)}" '
        f'src="{data_url(image, kind="PNG")}" class="{pixel_class(image.width)}"></button>'
        f'<figcaption>{escape(title)}</figcaption><pre>{escape(image.info.get(KEY, ""))}</pre></figure>')
