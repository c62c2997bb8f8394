"""What a run keeps over its pauses, and the state before them: a discard restores it, a save deletes it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..workspaces.workspace import Workspace
from . import state

ASIDE, FRESH = "state before the pause.safetensors", "state of the pause.safetensors"


@dataclass(frozen=True)
class StateBeforePause:
    """Where training stood at the last save. path: None when nothing had been saved."""

    path: Path | None
    lifetime: int


@dataclass
class Progress:
    """What a run remembers while the model is given back."""

    started: float = 0.0  # the time before its first step
    first_step: int | None = None  # the step at which it started
    before_pause: StateBeforePause | None = None  # what the last pause replaced, until the next save


def write_pause_state(workspace: Workspace, tree: dict[str, Any]) -> StateBeforePause:
    """Replaces the workspace's state and keeps the old one beside it. Raises OSError; nothing has changed then."""
    aside, fresh = workspace.folder / ASIDE, workspace.folder / FRESH
    state.write_state(fresh, tree)
    existed = workspace.state.exists()
    if existed:
        workspace.state.replace(aside)
    try:
        fresh.replace(workspace.state)
    except OSError:
        if existed:
            aside.replace(workspace.state)
        raise
    return StateBeforePause(aside if existed else None, workspace.lifetime)


def restore_state_before_pause(workspace: Workspace, progress: Progress) -> None:
    """The workspace is as after the last save, or before the start."""
    if progress.before_pause is None:
        return
    if progress.before_pause.path:
        progress.before_pause.path.replace(workspace.state)
    else:
        workspace.state.unlink()
    workspace.update_about(lifetime=progress.before_pause.lifetime)
    progress.before_pause = None


def delete_state_before_pause(workspace: Workspace) -> None:
    """Also what a run left that was interrupted while it paused."""
    (workspace.folder / ASIDE).unlink(missing_ok=True)
