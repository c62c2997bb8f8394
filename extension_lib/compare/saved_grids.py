"""Grids saved in a workspace: each is a folder with a picture of each cell and a list of the cells."""

import io
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, get_type_hints

from PIL import Image

from ..data.pictures import BROKEN
from ..errors import DarkroomError
from ..host import Host, Picture
from ..support.disk import is_file, is_inside, matching, read_bounded, write_bytes, write_text
from ..support.json_text import parse_json
from . import infotext
from .grid import Cell, GridPlan, draw_grid
from .sheet import compose_sheet, sheet_infotext

GRIDS, ABOUT, SHEET = "grids", "grid.json", "grid.png"
AXES: dict[str, type] = {"weights": float, "steps": str, "prompts": str, "seeds": int}


class NoGrid(DarkroomError, ValueError):
    """A grid or a cell that is not there; the message names it."""


@dataclass(frozen=True)
class SavedCell:
    cell: Cell
    called: str  # the prompt with what calls the file
    file: str  # the picture's name in the grid's folder; "" when it was not drawn


@dataclass(frozen=True)
class SavedGrid:
    """A grid on disk, whole or as far as it was drawn."""

    folder: Path
    label: str  # of the series
    weights: tuple[float, ...]
    steps: tuple[str, ...]
    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    cells: tuple[SavedCell, ...]
    picture: Picture  # everything else of the pictures
    best: int = -1  # the number of the cell that was chosen

    def open(self, number: int) -> Image.Image:
        """The cell's picture with its infotext. Raises NoGrid, also for one outside the grid's folder."""
        path = self.folder / self.at(number).file
        if not is_inside(path, self.folder) or not is_file(path):
            raise NoGrid(f"The grid {self.folder.name} has no picture {path.name}.")
        try:
            image = Image.open(io.BytesIO(read_bounded(path)))
            image.load()
        except BROKEN:
            raise NoGrid(f"The picture {path.name} of the grid {self.folder.name} cannot be read.") from None
        return image

    def at(self, number: int) -> SavedCell:
        """Raises NoGrid."""
        if not 0 <= number < len(self.cells) or not self.cells[number].file:
            raise NoGrid(f"The grid {self.folder.name} has no picture {number}.")
        return self.cells[number]

    def write(self) -> None:
        values = {**asdict(self), "folder": None}
        write_text(self.folder / ABOUT, json.dumps(values, indent=1, ensure_ascii=False))


def new_folder(root: Path) -> Path:
    """<root>/grids/<date>, made; a second one of the same second gets a number."""
    name, number = time.strftime("%Y-%m-%d %H.%M.%S"), 1
    while (folder := root / GRIDS / (name if number == 1 else f"{name} {number}")).exists():
        number += 1
    folder.mkdir(parents=True)
    return folder


def draw_saved_grid(plan: GridPlan, host: Host, root: Path,
                    stopping: Callable[[], bool] = lambda: False) -> Iterator[tuple[float, SavedGrid]]:
    """Draws a plan into a new folder of a workspace; yields (share done, the grid so far), first with nothing in it.

    What was drawn when it stops, is interrupted or fails stays. Raises HostError.
    """
    cells, images = plan.cells(), dict[Picture, Any]()
    kept = SavedGrid(new_folder(root), plan.series.label, plan.weights, plan.steps, plan.prompts, plan.seeds,
                tuple(SavedCell(cell, plan.picture_of(cell).prompt, "") for cell in cells), plan.picture)
    model = host.current()
    texts: dict[Picture, str] = {}
    files: dict[Picture, str] = {}
    try:
        kept.write()
        yield 0.0, kept
        for share, news in draw_grid(plan, host, stopping):
            for picture, image in news.items():
                images[picture] = image
                texts[picture] = infotext.infotext_of(image, picture, model.title if model else "")
                files[picture] = f"{len(files):04d}.png"
                write_bytes(kept.folder / files[picture], infotext.png(image, texts[picture]))
            kept = replace(
                kept,
                best=read_grid(kept.folder).best,  # one may be chosen meanwhile
                cells=tuple(replace(old, file=files.get(plan.picture_of(old.cell), "")) for old in kept.cells))
            kept.write()
            yield share, kept
    finally:
        if images:
            first = next(iter(texts.values()))
            write_bytes(kept.folder / SHEET, infotext.png(compose_sheet(plan, images), sheet_infotext(plan, first)))


def read_grid(folder: Path) -> SavedGrid:
    """Raises NoGrid, also for a grid.json with something else in it than was written there."""
    try:
        values = parse_json(read_bounded(folder / ABOUT))
        cells = tuple(SavedCell(Cell(**typed(Cell, one["cell"])), str(one["called"]), str(one["file"]))
                      for one in values["cells"])
        axes = {name: tuple(map(kind, values[name])) for name, kind in AXES.items()}
        picture = Picture(**typed(Picture, values["picture"]))
        kept = SavedGrid(folder, str(values["label"]), cells=cells, picture=picture, best=int(values["best"]), **axes)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        raise NoGrid(f"There is no grid in {folder}.") from None
    if not is_whole(kept):
        raise NoGrid(f"The grid in {folder} is damaged: its cells are not those of its axes.")
    return kept


def is_whole(kept: SavedGrid) -> bool:
    """Whether there is a cell for each place, so that a table of them can be shown."""
    axes = (kept.steps, kept.weights, kept.prompts, kept.seeds)
    if math.prod(map(len, axes)) != len(kept.cells) or not -1 <= kept.best < len(kept.cells):
        return False
    return {Cell(*place) for place in product(*axes)} == {cell.cell for cell in kept.cells}


def typed(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    """The values with the types of the dataclass's fields. Raises ValueError, TypeError, KeyError, OverflowError."""
    kinds = get_type_hints(cls)
    return {name: kinds[name](value) for name, value in dict(values).items()}


def grid_names(root: Path) -> list[str]:
    """The names of a workspace's grids, the newest first."""
    return sorted((p.parent.name for p in matching(root / GRIDS, f"*/{ABOUT}")), reverse=True)
