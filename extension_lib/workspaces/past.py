"""Past runs of all workspaces, read from their logs to be compared."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.run import Run, from_dict
from ..settings import SettingError
from ..support import toml
from ..support.disk import modified_time
from ..support.json_text import is_number
from . import workspace
from .workspace import SETTINGS, Log

LOSSES = ("step", "loss")  # the numbers of a line with a loss
NAMED = 5  # damaged lines


@dataclass(frozen=True)
class PastRun:
    """A run's numbers. stepped: (step, minutes, loss); measured: the same of the loss on fixed noise."""

    name: str
    run: Run
    stepped: tuple[tuple[int, float, float], ...]
    measured: tuple[tuple[int, float, float], ...]
    measured_on: str  # runs compare where this is the same
    held_out: bool
    ended: str  # how, in a sentence; "" while it runs, or when its program was killed

    @property
    def lowest(self) -> tuple[int, float, float] | None:
        return min(self.measured, key=lambda m: m[2]) if self.measured else None

    @property
    def minutes(self) -> float:
        return max((m for _, m, _ in (*self.stepped[-1:], *self.measured[-1:])), default=0.0)


def logs_by_name(root: Path) -> dict[str, Log]:
    """All runs by name, the newest first."""
    runs = [(space, log) for space in workspace.list_workspaces(root) for log in space.logs()]
    runs.sort(key=lambda pair: modified_time(pair[1].folder), reverse=True)
    return {f"{space.name} {log.folder.name}": log for space, log in runs}


def past_run(name: str, log: Log, lines: list[dict[str, Any]]) -> PastRun:
    """Raises SettingError for a run whose settings cannot be read."""
    began = next((line["time"] for line in lines if line["what"] == "began"), 0.0)
    measured = lines_of_kind(lines, "measured")
    return PastRun(
        name, from_dict(toml.read_toml(log.folder / SETTINGS)), tuple(points(lines_of_kind(lines, "step"), began)),
        tuple(points(measured, began)), str(measured[-1].get("on", "")) if measured else "",
        bool(measured and measured[-1].get("held_out")),
        next((str(line.get("why", "")) for line in lines_of_kind(lines, "ended")), ""))


def is_whole(line: dict[str, Any] | None) -> bool:
    """Whether a line says all that its kind needs to be shown."""
    needed = LOSSES if line and line["what"] in ("step", "measured") else ()
    return line is not None and all(is_number(line.get(name)) for name in needed)


def lines_of_kind(lines: list[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    return [line for line in lines if line["what"] == what]


def points(lines: list[dict[str, Any]], began: float) -> Iterator[tuple[int, float, float]]:
    return ((line["step"], (line["time"] - began) / 60, line["loss"]) for line in lines)


def read_past_runs(root: Path, names: list[str]) -> tuple[list[PastRun], list[str]]:
    """The runs that can be read, and a sentence for each that cannot, in whole or in part."""
    logs, runs, problems = logs_by_name(root), [], []
    for name in names:
        if name not in logs:
            problems.append(f"There is no run {name} any more.")
            continue
        try:
            lines = logs[name].read_lines()
            runs.append(past_run(name, logs[name], [line for line in lines if line and is_whole(line)]))
        except (SettingError, OSError) as error:
            problems.append(f"The run {name} cannot be read: {error}")
            continue
        if damaged := [str(n) for n, line in enumerate(lines, 1) if not is_whole(line)]:
            problems.append(damage(name, damaged))
    return runs, problems


def damage(name: str, lines: list[str]) -> str:
    shown = ", ".join(lines[:NAMED]) + (", ..." if len(lines) > NAMED else "")
    return f"The log of {name} is damaged at line {shown}. The rest of it is shown."
