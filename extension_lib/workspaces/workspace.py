"""A workspace: a folder of plain files that holds a model's settings, runs, samples and training state."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from ..config.run import FOLDERS, Concept, Run, from_dict, to_dict
from ..errors import DarkroomError
from ..support import toml
from ..support.disk import (
    checked_file_name,
    exists,
    is_folder,
    is_inside,
    matching,
    modified_time,
    read_if_there,
    write_text,
)
from ..support.json_text import is_number, parse_json
from .standing import KEPT, STATE, Standing, newest_states

ABOUT, SETTINGS, RUNS = "workspace.toml", "run.toml", "runs"
EVENTS, LAST = "events.jsonl", 8192  # bytes
TRASH, PRESETS = "trash", "presets"
NOW = "%Y-%m-%d %H:%M"
FILES_SAVED = "files_saved"
COMPARED = "compared"  # grids of files without a workspace
LOCK, LOCKS = "in use.lock", "locks"  # of a workspace; of the names that runs save under
SWEEPS = "sweeps"  # tables and grids of sweeps
CACHE = "cache"  # what encoders have made, for all workspaces
RESERVED_FOLDERS = (TRASH, PRESETS, COMPARED, LOCKS, CACHE, SWEEPS, "exports", "class pictures")  # beside workspaces


class WorkspaceError(DarkroomError, ValueError):
    """A workspace that is not there, is there already, or cannot be read or moved."""


@dataclass(frozen=True)
class Workspace:
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def state(self) -> Path:
        """The state of the last save; absent until something was saved."""
        return self.folder / STATE

    @property
    def kept(self) -> Path:
        """A newer state without files for the prompt: of an autosave or a pause."""
        return self.folder / KEPT

    def newest_state(self) -> Standing | None:
        """Where training stands; None where nothing was trained."""
        return next(iter(newest_states(self.folder)), None)

    @property
    def about(self) -> dict[str, Any]:
        return toml.read_toml(self.folder / ABOUT)

    @property
    def purpose(self) -> str:
        """What it was created for: a key of purposes.PURPOSES, or ""."""
        return str(self.about.get("purpose", ""))

    @property
    def lifetime(self) -> int:
        """Steps trained since the workspace was created or last started over."""
        newest = self.newest_state()
        return newest.lifetime if newest else 0

    @property
    def files_saved(self) -> int:
        """The number of the state whose files for the prompt were written last; 0 for none. Raises SettingError."""
        number = self.about.get(FILES_SAVED, 0)
        return number if isinstance(number, int) else 0

    @property
    def files_missing(self) -> bool:
        """Whether steps are kept that are in no file for the prompt. Raises SettingError."""
        newest = self.newest_state()
        return newest is not None and newest.number != self.files_saved

    def update_about(self, **values: Any) -> None:
        toml.write_toml(self.folder / ABOUT, {**self.about, **values})

    def read_run(self) -> Run:
        """The settings as they were last left. Raises SettingError."""
        return with_folders(from_dict(toml.read_toml(self.folder / SETTINGS)), self.absolute_folder)

    def save_run(self, run: Run) -> None:
        """Picture folders inside the workspace are written relative to it, so that it can be moved and copied."""
        toml.write_toml(self.folder / SETTINGS, to_dict(with_folders(run, self.relative_folder)))

    def absolute_folder(self, folder: str) -> str:
        inside = not Path(folder).is_absolute() and is_folder(self.folder / folder)  # is_folder is slow on some shares
        return str(self.folder / folder) if inside and is_inside(self.folder / folder, self.folder) else folder

    def relative_folder(self, folder: str) -> str:
        path = Path(folder)
        return path.relative_to(self.folder).as_posix() if self.folder in path.parents else folder

    def new_log(self) -> "Log":
        """The log of a new run, in a folder that no other run has, even one of another process."""
        runs = self.folder / RUNS
        taken = [int(p.name) for p in matching(runs, "[0-9]*") if p.name.isdigit()]
        runs.mkdir(parents=True, exist_ok=True)
        for number in count(max(taken, default=0) + 1):
            with suppress(FileExistsError):
                folder = runs / f"{number:04d}"
                folder.mkdir()
                return Log(folder)
        raise AssertionError("numbers do not end")

    def logs(self) -> "list[Log]":
        return [Log(p) for p in matching(self.folder / RUNS, "[0-9]*") if is_folder(p)]


def with_folders(run: Run, placed: Callable[[str], str]) -> Run:
    """The run with every folder of its concepts replaced by placed(folder)."""
    def with_placed(concept: Concept) -> Concept:
        folders: dict[str, Any] = {name: placed(getattr(concept, name)) for name in FOLDERS if getattr(concept, name)}
        return replace(concept, **folders)

    return replace(run, concepts=tuple(map(with_placed, run.concepts)))


@dataclass(frozen=True)
class Log:
    """What happened in one run: its settings, a line per event, its previews."""

    folder: Path

    def save_run(self, run: Run) -> None:
        toml.write_toml(self.folder / SETTINGS, to_dict(run))

    def write_line(self, what: str, **values: Any) -> None:
        with open(self.folder / EVENTS, "a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps({"what": what, "time": round(time.time(), 2), **values}, ensure_ascii=False) + "\n")

    def read_lines(self) -> list[dict[str, Any] | None]:
        """The log from its start; None in place of a line that is damaged. The last may be incomplete, and is left out.

        Raises OSError.
        """
        held = read_if_there(self.folder / EVENTS) or b""
        return [parse_line(line) for line in held.split(b"\n")[:-1]]

    @property
    def table_path(self) -> Path:
        """The run's numbers for a spreadsheet, a row per step and per measurement."""
        return self.folder / "log.csv"

    def read_last_lines(self) -> list[dict[str, Any]]:
        """The newest lines without those that are damaged; as fast after a long run as after a short one."""
        try:
            with open(self.folder / EVENTS, "rb") as file:
                start = max(0, file.seek(0, os.SEEK_END) - LAST)
                file.seek(start)
                texts = file.read().split(b"\n")
        except OSError:
            return []
        return [line for line in map(parse_line, texts[1 if start else 0:]) if line]

    def preview_path(self, step: int, number: int) -> Path:
        return self.folder / "previews" / f"{step:06d}-{number}.png"


def parse_line(text: bytes) -> dict[str, Any] | None:
    """What a line of a log says; None for one that is damaged."""
    try:
        line = parse_json(text)
    except ValueError:
        return None
    whole = isinstance(line, dict) and isinstance(line.get("what"), str) and is_number(line.get("time"))
    return line if whole else None


def create_workspace(root: Path, name: str, run: Run, purpose: str = "") -> Workspace:
    """A new workspace with these settings. Raises WorkspaceError for a name that is taken, and NameProblem."""
    folder = free_folder(root, name)
    folder.mkdir(parents=True)
    write_text(folder / ABOUT, "")
    workspace = Workspace(folder)
    workspace.update_about(created=time.strftime(NOW), **({"purpose": purpose} if purpose else {}))
    workspace.save_run(run)
    return workspace


def free_folder(root: Path, name: str) -> Path:
    """The folder for a new workspace. Raises WorkspaceError for a name that is taken, and NameProblem."""
    name = checked_file_name(name, "workspace's name")
    if name.lower() in RESERVED_FOLDERS:
        raise WorkspaceError(f"The name {name} is reserved for one of Darkroom's own folders. Choose another.")
    if (root / name).exists():
        raise WorkspaceError(f"There is a workspace {name} already. Choose it from the list, or another name.")
    return root / name


def open_workspace(root: Path, name: str) -> Workspace:
    """Raises WorkspaceError, NameProblem."""
    folder = folder_in(root, name, "workspace's name")
    if not exists(folder / SETTINGS):
        raise WorkspaceError(f"There is no workspace {name} in {root}. Create it first.")
    return Workspace(folder)


def folder_in(root: Path, name: str, what: str) -> Path:
    """What is called so in a folder: also names that people gave it outside Darkroom. Raises NameProblem."""
    name = name.strip()
    is_one = (root / name).parent == root and name != ".." and "\0" not in name
    return root / (name if is_one else checked_file_name(name, what))


def list_workspaces(root: Path) -> list[Workspace]:
    """The newest first."""
    folders = [path.parent for path in matching(root, f"*/{SETTINGS}")]
    workspaces = [Workspace(folder) for folder in folders if folder.name.lower() not in RESERVED_FOLDERS]
    return sorted(workspaces, key=lambda w: modified_time(w.folder / SETTINGS), reverse=True)


def workspace_names(root: Path) -> Iterator[str]:
    return (workspace.name for workspace in list_workspaces(root))
