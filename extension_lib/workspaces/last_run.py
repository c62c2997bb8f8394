"""How the last run of a workspace ended, in a sentence; also one that a crash has interrupted."""

from typing import Any

from ..support.locks import is_locked
from .workspace import LOCK, Log, Workspace


def last_run(workspace: Workspace) -> str:
    """Raises SettingError where the workspace's file of facts cannot be read."""
    if is_locked(workspace.folder / LOCK):
        return "Training now, in another program"
    logs = workspace.logs()
    if not logs:
        return "Not trained yet"
    ended = last_event(logs[-1], "ended")
    if ended is None:
        step = (last_event(logs[-1], "step") or {}).get("step", 0)
        return f"Interrupted at step {step}. {steps_kept(workspace)}"
    why = str(ended.get("why", ""))
    said = f"Failed: {why}" if ended.get("failed") else why
    return f"{said} {steps_kept(workspace)}" if workspace.files_missing else said


def steps_kept(workspace: Workspace) -> str:
    newest = workspace.newest_state()
    return f"{newest.step} steps are kept." if newest else "Nothing was kept."


def last_event(log: Log, what: str) -> dict[str, Any] | None:
    """The last event of this kind."""
    return next((line for line in reversed(log.read_last_lines()) if line["what"] == what), None)
