"""Workspaces are renamed, duplicated and moved to the trash. Nothing may be running in them."""

import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from ..config.run import FOLDERS, Run
from ..support.disk import checked_file_name, copy_file, files_in, matching, save_errors
from ..support.locks import is_locked
from .standing import KEPT, STATE
from .workspace import ABOUT, LOCK, NOW, SETTINGS, TRASH, Workspace, WorkspaceError, free_folder, with_folders


def rename(workspace: Workspace, name: str) -> Workspace:
    """The workspace under another name, and its results too where they are named after it.

    Raises WorkspaceError when the name is taken or the folder is in use, NameProblem when it is no file name, and
    SettingError when its settings cannot be read.
    """
    target = free_folder(workspace.folder.parent, name)
    workspace.read_run()  # raises before anything is moved
    renamed = Workspace(move_folder(workspace.folder, target))
    renamed.save_run(with_output_name(renamed.read_run(), workspace.name, renamed.name))
    return renamed


def duplicate(workspace: Workspace, name: str) -> Workspace:
    """A second workspace with the same settings, training state and pictures, but without the record of runs.

    Raises as rename does, and SaveError when the disk is full.
    """
    target, run = free_folder(workspace.folder.parent, name), workspace.read_run()
    with save_errors(target):
        target.mkdir()
    twin = Workspace(target)
    try:
        for part in (ABOUT, STATE, KEPT):
            if (workspace.folder / part).exists():
                copy_file(workspace.folder / part, target / part)
        twin.update_about(created=time.strftime(NOW))
        for file in own_pictures(workspace, run):
            copy_file(file, target / file.relative_to(workspace.folder))
        own = with_folders(run, workspace.relative_folder)
        twin.save_run(with_output_name(own, workspace.name, twin.name))  # last: it makes the folder a workspace
    except OSError:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return twin


def own_pictures(workspace: Workspace, run: Run) -> Iterator[Path]:
    """The files of the concepts' folders that are inside the workspace, as uploaded pictures are."""
    for folder in (Path(getattr(concept, name)) for concept in run.concepts for name in FOLDERS):
        if workspace.folder in folder.parents:
            yield from files_in(folder)


def with_output_name(run: Run, old: str, new: str) -> Run:
    return run.with_values({"output": {"name": new}}) if run.output.name == old else run


def move_to_trash(workspace: Workspace) -> Path:
    """Moves the workspace to the trash beside it, where nothing is overwritten; returns its new folder.

    Raises WorkspaceError, SaveError.
    """
    trash = workspace.folder.parent / TRASH
    with save_errors(trash):
        trash.mkdir(exist_ok=True)
    places = (trash / (workspace.name if n == 1 else f"{workspace.name}-{n}") for n in count(1))
    return move_folder(workspace.folder, next(place for place in places if not place.exists()))


def deleted_workspaces(root: Path) -> list[str]:
    """The workspaces in the trash, by the name of their folder there."""
    return sorted(path.parent.name for path in matching(root / TRASH, f"*/{SETTINGS}"))


def restore(root: Path, name: str) -> Workspace:
    """Moves a workspace out of the trash. Raises WorkspaceError when its name is taken, NameProblem."""
    folder = root / TRASH / checked_file_name(name, "workspace's name")
    return Workspace(move_folder(folder, free_folder(root, name)))


def move_folder(folder: Path, target: Path) -> Path:
    if is_locked(folder / LOCK):
        raise WorkspaceError(f"{folder.name} is in training, here or in another program. Wait until it is done, or "
                             "stop it.")
    try:
        return folder.rename(target)
    except OSError as error:
        raise WorkspaceError(f"Could not move {folder} to {target}: {error.strerror or error}. Close the programs that "
                             "have its files open, then try again.") from error
