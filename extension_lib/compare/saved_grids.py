"""Grids saved in a workspace: each is a folder with a picture of each cell and a list of the cells."""

import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from ..errors import DarkroomError
from ..host import Host, Picture
from ..support.disk import matching, read_if_there, write_bytes, write_text
from . import infotext
from .grid import Cell, GridPlan, draw_grid
from .sheet import compose_sheet, sheet_infotext

GRIDS, ABOUT, SHEET = "grids", "grid.json", "grid.png"


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
        """The cell's picture with its infotext. Raises NoGrid."""
        name = self.at(number).file
        held = read_if_there(self.folder / name)
        if held is None:
            raise NoGrid(f"The grid {self.folder.name} has no picture {name}.")
        return Image.open(io.BytesIO(held))

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
    """Raises NoGrid."""
    try:
        values = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        cells = tuple(SavedCell(Cell(**one["cell"]), one["called"], one["file"]) for one in values["cells"])
        axes = {name: tuple(values[name]) for name in ("weights", "steps", "prompts", "seeds")}
        return SavedGrid(folder, values["label"], cells=cells, picture=Picture(**values["picture"]),
                         best=values["best"], **axes)
    except (OSError, ValueError, KeyError, TypeError):
        raise NoGrid(f"There is no grid in {folder}.") from None


def grid_names(root: Path) -> list[str]:
    """The names of a workspace's grids, the newest first."""
    return sorted((p.parent.name for p in matching(root / GRIDS, f"*/{ABOUT}")), reverse=True)
