"""What a job keeps over its pauses, and the state before them: put back when the run is discarded, dropped when it is saved."""

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
    """What outlives the model's being given back."""

    started: float = 0.0  # when the job's first step was next
    first: int | None = None  # the step at which the job began
    earlier: StateBeforePause | None = None  # what the last pause replaced, as long as nothing was saved since


def write_pause_state(workspace: Workspace, tree: dict[str, Any]) -> StateBeforePause:
    """Writes a state in the place of the workspace's, which is kept beside it. Raises OSError with nothing changed."""
    aside, fresh = workspace.folder / ASIDE, workspace.folder / FRESH
    state.write_state(fresh, tree)
    had = workspace.state.exists()
    if had:
        workspace.state.replace(aside)
    try:
        fresh.replace(workspace.state)
    except OSError:
        if had:
            aside.replace(workspace.state)
        raise
    return StateBeforePause(aside if had else None, workspace.lifetime)


def restore_state(workspace: Workspace, kept: Progress) -> None:
    """All as the last save, or the start, left it."""
    if kept.earlier is None:
        return
    if kept.earlier.path:
        kept.earlier.path.replace(workspace.state)
    else:
        workspace.state.unlink()
    workspace.update_about(lifetime=kept.earlier.lifetime)
    kept.earlier = None


def delete_state_before_pause(workspace: Workspace) -> None:
    """Also what a run left that was broken off while it paused."""
    (workspace.folder / ASIDE).unlink(missing_ok=True)
