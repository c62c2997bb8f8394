"""A grid as HTML: a table of small pictures to choose from, and the chosen one in full size."""

import json

from markupsafe import Markup

from ...compare.grid import Cell
from ...compare.infotext import KEY
from ...compare.saved_grids import SavedGrid
from ...compare.sheet import column_title, row_title
from .data_url import data_url
from .html import html, joined

THUMBNAIL = 192  # pixels
PIXELS = 128  # pictures up to this width are enlarged without blur


def grid_html(grid: SavedGrid) -> Markup:
    """A table for every prompt and seed; javascript/darkroom_compare.js reads the clicked cell from data-cell."""
    name = f"{grid.folder.parent.parent.name}/{grid.folder.name}"
    small = {file: thumbnail(grid, n) for file, n in {c.file: n for n, c in enumerate(grid.cells) if c.file}.items()}
    tables = joined(grid_table(grid, small, prompt, seed) for prompt in grid.prompts for seed in grid.seeds)
    return html('<div class="darkroom-grid" data-grid="{}">{}</div>', name, tables)


def grid_table(grid: SavedGrid, small: dict[str, str], prompt: str, seed: int) -> Markup:
    numbers = {cell.cell: n for n, cell in enumerate(grid.cells)}
    heads = joined(html('<th scope="col">{}</th>', column_title(weight)) for weight in grid.weights)
    rows = []
    for step in grid.steps:
        cells = joined(html("<td>{}</td>", cell_button(grid, numbers[Cell(step, weight, prompt, seed)], small))
                       for weight in grid.weights)
        rows.append(html('<tr><th scope="row">{}</th>{}</tr>', row_title(step), cells))
    return html('<table><caption><b translate="no">{}</b> <span>seed {}</span></caption>'
                "<thead><tr><td></td>{}</tr></thead><tbody>{}</tbody></table>", prompt, seed, heads, joined(rows))


def cell_button(grid: SavedGrid, number: int, small: dict[str, str]) -> Markup:
    cell = grid.cells[number]
    if not cell.file:
        return html('<span class="darkroom-undrawn"></span>')
    words = f"{row_title(cell.cell.step)}, {column_title(cell.cell.weight)}, seed {cell.cell.seed}"
    best = number == grid.best
    return html('<button type="button" class="darkroom-cell{best}" data-cell="{number}" aria-pressed="{pressed}" '
                'aria-label="{words}" title="{words}"><img alt="" src="{url}" class="{pixels}"></button>',
                best=" best" if best else "", number=number, pressed=str(best).lower(), words=words,
                url=small[cell.file], pixels=pixel_class(grid.picture.width))


def thumbnail(grid: SavedGrid, number: int) -> str:
    image = grid.open(number)
    return data_url(image, kind="PNG") if image.width <= PIXELS else data_url(image, THUMBNAIL)


def pixel_class(width: int) -> str:
    return "darkroom-pixels" if width <= PIXELS else ""


def chosen_picture(grid: SavedGrid, number: int) -> Markup:
    """The picture in full size with its infotext. data-send holds what is sent to txt2img."""
    cell, image = grid.at(number), grid.open(number)
    title = f"{grid.label}, {row_title(cell.cell.step)}, {column_title(cell.cell.weight)}, seed {cell.cell.seed}"
    send = {"prompt": cell.called, "negative": grid.picture.negative, "steps": grid.picture.steps,
            "cfg": grid.picture.cfg, "width": grid.picture.width, "height": grid.picture.height, "seed": cell.cell.seed}
    return html(
        '<figure class="darkroom-chosen" data-send="{send}">'
        '<button type="button" class="darkroom-enlarge" aria-label="Enlarge the picture"><img alt="{title}" '
        'src="{url}" class="{pixels}"></button><figcaption>{title}</figcaption><pre>{infotext}</pre></figure>',
        send=json.dumps(send, ensure_ascii=False), title=title, url=data_url(image, kind="PNG"),
        pixels=pixel_class(image.width), infotext=image.info.get(KEY, ""))
