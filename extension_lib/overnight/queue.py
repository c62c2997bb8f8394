"""The queue: rows of SQLite, each change of which is on the disk before anyone is told of it."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..config.run import Run, to_dict
from ..errors import DarkroomError
from ..host import Folders
from ..support.disk import save_errors
from .row import (
    CANCEL,
    CANCELLED,
    DISCARD,
    DONE,
    HELD,
    HOLD,
    INTERRUPTED,
    OVER,
    PENDING,
    RUNNING,
    STOP,
    WAITING,
    Row,
)

FILE = "queue.sqlite"
PATIENCE = 30.0  # seconds; another program may be writing
VERSION = 1  # of the tables
TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, place REAL NOT NULL, state TEXT NOT NULL, workspace TEXT NOT NULL,
    settings TEXT NOT NULL, answer TEXT NOT NULL, created REAL NOT NULL, name TEXT NOT NULL, method TEXT NOT NULL,
    steps INTEGER NOT NULL, sweep TEXT NOT NULL DEFAULT '', varied TEXT NOT NULL DEFAULT '{}',
    request TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '', number INTEGER, began REAL, ended REAL,
    seconds REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
COLUMNS = ", ".join(field.name for field in fields(Row))


class QueueError(DarkroomError, RuntimeError):
    """The queue cannot be read or written, or a run cannot be changed so."""


class NoRun(QueueError):
    """The queue has no such run."""


@dataclass(frozen=True)
class Queue:
    """The runs of one folder of workspaces. Any program and any thread may use it at any time."""

    path: Path

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """Within, nobody else writes; afterwards all of it is on the disk, or nothing. Raises QueueError, SaveError."""
        try:
            with save_errors(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)) as base:
                base.execute("PRAGMA synchronous = FULL")  # a power cut forgets nothing that was promised
                base.execute("BEGIN IMMEDIATE")
                with base:  # commits, or rolls back
                    prepare(base)
                    yield base
        except sqlite3.Error as error:
            raise QueueError(f"The queue {self.path} cannot be used: {error}. If it stays so, move the file away; the "
                             "workspaces keep what was trained.") from error

    def rows(self) -> list[Row]:
        """All of them: first those to come, in their order, then those that are over, the newest first."""
        if not self.path.exists():
            return []
        with self.opened() as base:
            found = [Row(*values) for values in base.execute(f"SELECT {COLUMNS} FROM runs")]
        pending = sorted((row for row in found if row.state in PENDING), key=lambda row: (row.state != RUNNING,
                                                                                          row.place))
        return pending + sorted((row for row in found if row.state in OVER), key=lambda row: -(row.ended or 0))

    def row(self, id: int) -> Row:
        """Raises QueueError where there is none."""
        with self.opened() as base:
            return row_in(base, id)

    def add(self, run: Run, workspace: str, answer: str = "", sweep: str = "", varied: dict[str, Any] | None = None,
            before: int | None = None) -> Row:
        """A run at the end, or before another one. It is on the disk when this returns."""
        with self.opened() as base:
            place = place_before(base, before)
            added = base.execute(
                "INSERT INTO runs (place, state, workspace, settings, answer, created, name, method, steps, sweep, "
                "varied) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (place, WAITING, workspace, as_settings(run), answer, time.time(), run.output.name, run.method.name,
                 run.training.steps, sweep, json.dumps(varied or {}, ensure_ascii=False)))
            return row_in(base, int(added.lastrowid or 0))

    def update(self, id: int, **values: Any) -> Row:
        """Raises QueueError where there is no such run."""
        with self.opened() as base:
            return update_in(base, id, **values)

    def move(self, id: int, before: int | None) -> Row:
        """Puts a run before another one, or at the end. Raises QueueError."""
        with self.opened() as base:
            update_in(base, id, place=place_before(base, before))
            for place, (each,) in enumerate(base.execute("SELECT id FROM runs ORDER BY place").fetchall()):
                update_in(base, each, place=place)  # halves of halves come to an end
            return row_in(base, id)

    def cancel(self, id: int) -> Row:
        """Takes it out; one that is running ends after its step. What it has learned stays in its workspace."""
        return self.ask(id, CANCEL, CANCELLED)

    def hold(self, id: int) -> Row:
        """Sets it aside until someone continues it; one that is running is kept after its step."""
        return self.ask(id, HOLD, HELD)

    def ask(self, id: int, request: str, state: str) -> Row:
        """Raises QueueError for a run that is over."""
        with self.opened() as base:
            row = row_in(base, id)
            if row.state not in PENDING:
                raise QueueError(f"{row.name} is {row.state} already.")
            if row.state == RUNNING:
                return update_in(base, id, request=request)
            return update_in(base, id, state=state, reason="", ended=time.time() if state in OVER else None)

    def stop(self, id: int) -> Row:
        """One that is running ends after its step, and its file is saved."""
        return self.ask_running(id, STOP)

    def discard(self, id: int) -> Row:
        """One that is running ends after its step; what it has learned since its last save is dropped."""
        return self.ask_running(id, DISCARD)

    def ask_running(self, id: int, request: str) -> Row:
        """Raises QueueError for a run that is not running."""
        with self.opened() as base:
            row = row_in(base, id)
            if row.state != RUNNING:
                raise QueueError(f"{row.name} is {row.state}, not running.")
            return update_in(base, id, request=request)

    def forget(self, id: int) -> None:
        """Removes the row of one that is over. Raises QueueError for another."""
        with self.opened() as base:
            row = row_in(base, id)
            if row.state not in OVER:
                raise QueueError(f"{row.name} is {row.state}. Cancel it first.")
            base.execute("DELETE FROM runs WHERE id = ?", (id,))

    def again(self, id: int) -> Row:
        """A run that was set aside, failed or cancelled waits again, and goes on from what is kept."""
        with self.opened() as base:
            row = row_in(base, id)
            if row.state == RUNNING:
                return update_in(base, id, request="")
            if row.state not in (HELD, INTERRUPTED, *OVER) or row.state == DONE:
                raise QueueError(f"{row.name} is {row.state} already.")
            place = row.place if row.state in (HELD, INTERRUPTED) else place_before(base, None)
            return update_in(base, id, state=WAITING, request="", reason="", ended=None, place=place)

    def forget_over(self) -> None:
        """Removes the rows of runs that are over; their workspaces and files stay."""
        with self.opened() as base:
            base.execute(f"DELETE FROM runs WHERE state IN ({', '.join('?' * len(OVER))})", OVER)

    def fact(self, name: str) -> Any:
        """A value that was noted; None where there is none."""
        if not self.path.exists():
            return None
        with self.opened() as base:
            found = base.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
            return json.loads(found[0]) if found else None

    def note(self, **values: Any) -> None:
        with self.opened() as base:
            for name, value in values.items():
                base.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", (name, json.dumps(value)))


def as_settings(run: Run) -> str:
    return json.dumps(to_dict(run), ensure_ascii=False)


def queue_of(folders: Folders) -> Queue:
    return Queue(folders.workspaces / FILE)


def prepare(base: sqlite3.Connection) -> None:
    """Makes the tables where there are none. Raises QueueError for those of a newer version."""
    version = base.execute("PRAGMA user_version").fetchone()[0]
    if version > VERSION:
        raise QueueError("The queue was written by a newer version of Darkroom. Use that one, or move the file "
                         f"{FILE} away.")
    if version < VERSION:
        for table in TABLES.split(";"):
            base.execute(table)
        base.execute(f"PRAGMA user_version = {VERSION}")


def row_in(base: sqlite3.Connection, id: int) -> Row:
    found = base.execute(f"SELECT {COLUMNS} FROM runs WHERE id = ?", (id,)).fetchone()
    if found is None:
        raise NoRun(f"There is no run {id} in the queue.")
    return Row(*found)


def update_in(base: sqlite3.Connection, id: int, **values: Any) -> Row:
    row_in(base, id)
    assigned = ", ".join(f"{name} = ?" for name in values)
    base.execute(f"UPDATE runs SET {assigned} WHERE id = ?", (*values.values(), id))
    return row_in(base, id)


def place_before(base: sqlite3.Connection, before: int | None) -> float:
    """A place directly before a run, or behind all. Raises QueueError."""
    if before is None:
        return float(base.execute("SELECT COALESCE(MAX(place), 0) + 1 FROM runs").fetchone()[0])
    place = row_in(base, before).place
    earlier = base.execute("SELECT MAX(place) FROM runs WHERE place < ?", (place,)).fetchone()[0]
    return (place + (place - 2 if earlier is None else earlier)) / 2
