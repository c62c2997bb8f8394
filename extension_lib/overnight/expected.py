"""When a run of the queue will be done: by how long runs like it took."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..config.run import Run
from ..errors import DarkroomError
from ..host import Folders
from ..runs.job import Job, running_job
from ..workspaces.workspace import Workspace, list_workspaces
from .row import DONE, HELD, INTERRUPTED, RUNNING, WAITING, Row

LOOKED_AT = 30  # workspaces whose last run may tell the pace


@dataclass(frozen=True)
class Expected:
    """seconds: that the run still takes, or took; None where nobody knows. end: the time at which it should be done."""

    seconds: float | None = None
    end: float | None = None


def expectations(rows: Sequence[Row], folders: Folders) -> list[Expected]:
    """For each row, in their order: what runs, then what waits, then what is over."""
    paces, now = Paces(rows, folders), time.time()
    return list(expected_in_turn(rows, paces, now))


def expected_in_turn(rows: Iterable[Row], paces: "Paces", now: float) -> Iterator[Expected]:
    free: float | None = now  # when the one before is done
    for row in rows:
        if row.state not in (RUNNING, WAITING):
            yield Expected(row.seconds if row.state == DONE else paces.left(row)
                           if row.state in (HELD, INTERRUPTED) else None, row.ended)
            continue
        left = paces.left(row)
        free = None if free is None or left is None else free + left
        yield Expected(left, free)


class Paces:
    """How long a step takes, by what is trained and how: of the queue's runs that are done, else of past runs."""

    def __init__(self, rows: Sequence[Row], folders: Folders):
        self.folders = folders
        self.known: dict[tuple[object, ...], float] = {}
        for row in sorted((row for row in rows if row.state == DONE), key=lambda row: row.ended or 0):
            if (run := run_of(row)) and row.seconds:
                self.known[kind_of(run)] = row.seconds / row.steps
        self.looked = False

    def left(self, row: Row) -> float | None:
        """Seconds until a run is done, once it has its turn."""
        job = running_job()
        if row.state == RUNNING and job and is_of(job, row, self.folders) and (left := job.seconds_left()) is not None:
            return left
        run = run_of(row)
        pace = self.pace(run) if run else None
        return None if pace is None else pace * max(0, row.steps - steps_done(row, self.folders))

    def pace(self, run: Run) -> float | None:
        kind = kind_of(run)
        if kind not in self.known and not self.looked:
            self.known, self.looked = {**paces_of_past_runs(self.folders), **self.known}, True
        return self.known.get(kind)


def run_of(row: Row) -> Run | None:
    """None for a run with settings that this version does not have."""
    try:
        return row.run()
    except (DarkroomError, ValueError):
        return None


def kind_of(run: Run) -> tuple[object, ...]:
    """What the time of a step depends on most."""
    return (run.base.checkpoint, run.method.name, run.data.resolution, run.training.batch_size,
            run.training.accumulation, run.training.checkpointing, run.prior.preserve)


def is_of(job: Job, row: Row, folders: Folders) -> bool:
    return job.workspace.folder == folders.workspaces / row.workspace


def steps_done(row: Row, folders: Folders) -> int:
    """The steps of this run that are kept, or that it has made so far."""
    job = running_job()
    if row.state == RUNNING and job and is_of(job, row, folders):
        return job.step
    newest = Workspace(folders.workspaces / row.workspace).newest_state() if row.number is not None else None
    return newest.step if newest and row.number is not None and newest.number > row.number else 0


def paces_of_past_runs(folders: Folders) -> dict[tuple[object, ...], float]:
    """By the last lines of the newest workspaces' logs."""
    found: dict[tuple[object, ...], float] = {}
    for space in list_workspaces(folders.workspaces)[:LOOKED_AT]:
        logs = space.logs()
        steps = [line for line in logs[-1].read_last_lines() if line["what"] == "step"] if logs else []
        if len(steps) < 2:
            continue
        try:
            first, last, run = steps[0], steps[-1], space.read_run()
            pace = (last["time"] - first["time"]) / (last["step"] - first["step"])
        except (DarkroomError, KeyError, TypeError, ZeroDivisionError):
            continue
        if pace > 0:
            found.setdefault(kind_of(run), pace)
    return found
