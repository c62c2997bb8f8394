"""Weight against training step, for every prompt and seed, drawn by the host; weight 0 is the base."""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..host import LARGEST_SEED, Checkpoint, Host, Interrupted, Picture
from ..settings import SettingError, shown
from .series import Series


@dataclass(frozen=True)
class Cell:
    """One place in the grid. prompt: as typed, without what calls the file."""

    step: str
    weight: float
    prompt: str
    seed: int


@dataclass(frozen=True)
class GridPlan:
    """What to draw: a table of steps (rows) and weights (columns) for each prompt and seed."""

    series: Series
    weights: tuple[float, ...]
    prompts: tuple[str, ...]
    seeds: tuple[int, ...]
    picture: Picture  # everything else of the pictures

    @property
    def steps(self) -> tuple[str, ...]:
        return self.series.steps

    def cells(self) -> list[Cell]:
        """Pictures that a host may draw together lie beside each other: all of one step and weight."""
        return [Cell(step, weight, prompt, seed) for step in self.steps for weight in self.weights
                for prompt in self.prompts for seed in self.seeds]

    def picture_of(self, cell: Cell) -> Picture:
        return replace(self.picture, prompt=self.series.prompt_for(cell.prompt, cell.step, cell.weight), seed=cell.seed)


def checkpoint_path(checkpoint: Checkpoint | None) -> Path | None:
    """What makes it the same one; a title grows when its hash is found, which may be while the first picture is
    drawn.
    """
    return checkpoint.path if checkpoint else None


def parse_weights(text: str) -> tuple[float, ...]:
    """"0, 0.5, 1" as numbers, each once. Raises SettingError."""
    found = parse_numbers(text, float, "weights", "0, 0.25, 0.5, 0.75, 1")
    for weight in found:
        if not math.isfinite(weight):
            raise SettingError(f"The weight {weight} is not finite. Write weights as 0, 0.25, 0.5, 0.75, 1.")
    return found


def parse_seeds(text: str) -> tuple[int, ...]:
    """"1, 2" as whole numbers, each once. Raises SettingError."""
    found = parse_numbers(text, int, "seeds", "1, 2, 3")
    for seed in found:
        if not 0 <= seed <= LARGEST_SEED:
            raise SettingError(
                f"The seed {seed} is not between 0 and {LARGEST_SEED}. A grid needs fixed seeds, so -1 cannot "
                "be used.")
    return found


def parse_numbers(text: str, kind: Callable[[str], Any], what: str, example: str) -> tuple[Any, ...]:
    try:
        found = tuple(dict.fromkeys(kind(part) for part in re.split(r"[,;\s]+", text.strip()) if part))
    except ValueError:
        raise SettingError(f"The {what} {shown(text)} are not numbers. Write them as {example}.") from None
    if not found:
        raise SettingError(f"There are no {what}. Write them as {example}.")
    return found


def draw_grid(plan: GridPlan, host: Host,
              stopping: Callable[[], bool] = lambda: False) -> Iterator[tuple[float, dict[Picture, Any]]]:
    """Yields (share done, the pictures drawn since the last time). Equal cells are drawn once.

    Ends early when it is to stop, or when the host was interrupted. Raises HostError.
    """
    wanted = list(dict.fromkeys(plan.picture_of(cell) for cell in plan.cells()))
    together = len(plan.prompts) * len(plan.seeds)
    model = checkpoint_path(host.current())
    for start in range(0, len(wanted), together):
        if stopping():
            return
        some = wanted[start:start + together]
        try:
            images = host.draw(some)
        except Interrupted:
            return
        drawn_by = checkpoint_path(host.current())
        if model not in (None, drawn_by):
            raise Interrupted("The checkpoint was changed while the grid was drawn, so its pictures would not be "
                              "comparable. Choose the checkpoint and compare again.")
        model = drawn_by
        yield (start + len(some)) / len(wanted), dict(zip(some, images))
