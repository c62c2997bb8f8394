"""Comparisons that the API draws: weight against training step, each on a thread of its own."""

import threading
from dataclasses import dataclass, field
from typing import Any

from ..compare.grid import GridPlan
from ..compare.saved_grids import GRIDS, SavedGrid, draw_saved_grid, read_grid
from ..compare.series import Series, find_series
from ..config.presets import drawing_run
from ..host import LARGEST_SEED, Host, Picture, drawable_side, require_drawable
from ..settings import SettingError
from ..support.disk import checked_file_name
from ..training.guard import Guard
from ..workspaces.workspace import COMPARED
from .answers import Missing, only

MOST = 400  # pictures


@dataclass
class Comparisons:
    """Those of this program; what they drew stays on disk."""

    host: Host
    shares: dict[str, float] = field(default_factory=dict)  # done, by name
    problems: dict[str, str] = field(default_factory=dict)  # why one ended early
    stopped: set[str] = field(default_factory=set)

    def start(self, given: dict[str, Any]) -> str:
        """Begins to draw; returns its name. Raises SettingError, HostError, Missing."""
        plan = plan_of(given, self.host)
        grids = draw_saved_grid(plan, self.host, self.host.folders.workspaces / COMPARED,
                                lambda: name in self.stopped)
        _, first = next(grids)
        name = first.folder.name
        self.shares[name] = 0.0

        def draw() -> None:
            with Guard(f"The comparison {name}") as guard:
                for share, _ in grids:
                    self.shares[name] = share
            if guard.error:
                self.problems[name] = guard.reason
            self.shares.pop(name)

        threading.Thread(target=draw, name="darkroom comparison", daemon=True).start()
        return name

    def read(self, name: str) -> SavedGrid:
        """Raises NoGrid, NameProblem."""
        return read_grid(self.host.folders.workspaces / COMPARED / GRIDS / checked_file_name(name, "comparison's name"))

    def said(self, name: str) -> dict[str, Any]:
        grid = self.read(name)
        share = self.shares.get(name, 1.0)
        cells = [{"step": one.cell.step, "weight": one.cell.weight, "prompt": one.cell.prompt, "seed": one.cell.seed,
                  "called": one.called, "drawn": bool(one.file)} for one in grid.cells]
        return {"name": name, "file": grid.label, "state": "running" if name in self.shares else "over",
                "share": share, "problem": self.problems.get(name, ""), "cells": cells}


def plan_of(given: dict[str, Any], host: Host) -> GridPlan:
    """Raises SettingError, HostError, Missing."""
    only(given, file=str, kind=str, prompts=list, weights=list, seeds=list, negative=str, steps=int, cfg=(int, float),
         width=int, height=int, sampler=str)
    series = series_of(str(given.get("file", "")), str(given.get("kind", "lora")), host)
    run = drawing_run(host)
    side, previews = drawable_side(run.data.resolution), run.previews
    prompts = tuple(text_in(each, "prompts") for each in given.get("prompts", [""])) or ("",)
    weights = tuple(number_in(each, "weights") for each in given.get("weights", [0, 0.5, 1.0]))
    seeds = tuple(int(number_in(each, "seeds")) for each in given.get("seeds", [1]))
    if not weights or not seeds or not all(0 <= seed <= LARGEST_SEED for seed in seeds):
        raise SettingError(f"weights and seeds must be lists of numbers, seeds from 0 to {LARGEST_SEED}.")
    if (pictures := len(series.steps) * len(weights) * len(prompts) * len(seeds)) > MOST:
        raise SettingError(f"A comparison of {pictures} pictures is too large; {MOST} are the most.")
    picture = Picture("", text_in(given.get("negative", ""), "negative"), given.get("steps", previews.preview_steps),
                      float(given.get("cfg", previews.cfg)), width=given.get("width", side),
                      height=given.get("height", side), sampler=given.get("sampler", previews.sampler),
                      clip_skip=run.data.clip_skip)
    return GridPlan(series, weights, prompts, seeds, require_drawable(picture))


def series_of(name: str, kind: str, host: Host) -> Series:
    found = next((one for one in find_series(host.folders) if one.name == name and one.kind == kind), None)
    if found is None:
        raise Missing(f"There is no file {name[:80]!r} of the kind {kind[:80]!r}.")
    return found


def number_in(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not -1e9 < value < 1e10:
        raise SettingError(f"{where} must be a list of numbers.")
    return value


def text_in(value: Any, where: str) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise SettingError(f"{where} must be text.")
    return value.encode("utf-8", "replace").decode("utf-8")
