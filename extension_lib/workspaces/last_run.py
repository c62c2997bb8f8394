"""How the last run of a workspace ended, in a sentence; also one that a crash has interrupted."""

from typing import Any

from ..support.locks import is_locked
from .workspace import LOCK, Log, Workspace

NOT_TRAINED = "Not trained yet"


def last_run(workspace: Workspace) -> str:
    """Raises SettingError where the workspace's file of facts cannot be read."""
    if is_locked(workspace.folder / LOCK):
        return "Training now, in another program"
    logs = workspace.logs()
    if not logs:
        return NOT_TRAINED
    ended = last_event(logs[-1], "ended")
    if ended is None:
        return interruption(workspace)
    why = str(ended.get("why", ""))
    said = f"Failed: {why}" if ended.get("failed") else why
    return f"{said} {steps_kept(workspace)}" if workspace.files_missing else said


def interruption(workspace: Workspace) -> str:
    """For a workspace whose last run has not ended, as after a crash or a power cut; "" for others."""
    logs = workspace.logs()
    if not logs or last_event(logs[-1], "ended") or is_locked(workspace.folder / LOCK):
        return ""
    step = (last_event(logs[-1], "step") or {}).get("step", 0)
    return f"Interrupted at step {step}. {steps_kept(workspace)}"


def steps_kept(workspace: Workspace) -> str:
    newest = workspace.newest_state()
    return f"{newest.step} steps are kept." if newest else "Nothing was kept."


def last_event(log: Log, what: str) -> dict[str, Any] | None:
    """The last event of this kind."""
    return next((line for line in reversed(log.read_last_lines()) if line["what"] == what), None)
