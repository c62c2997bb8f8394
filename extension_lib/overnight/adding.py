"""A run is added to the queue: all is asked that Train asks, and two runs never share a name."""

from collections.abc import Iterable
from itertools import count
from typing import Any

from ..config.presets import checkpoint_of
from ..config.run import Run, require_startable
from ..export.products import VERSION
from ..host import Host
from ..runs.naming import name_taken, with_name
from ..runs.start import ANSWERS, CONTINUE_OVERWRITE, CONTINUE_VERSION, RESTART_OVERWRITE, decide, require_training
from ..setup.optimizer_packages import require_installed
from ..workspaces.trained_family import require_same_family
from ..workspaces.workspace import Workspace, create_workspace, open_workspace
from .queue import as_settings, queue_of
from .row import PENDING, Row

CONTINUES = (CONTINUE_OVERWRITE, CONTINUE_VERSION)


def add_run(run: Run, host: Host, workspace: Workspace, answer: str = "", own: bool = False, sweep: str = "",
            varied: dict[str, Any] | None = None, before: int | None = None) -> Row:
    """Adds the run that Train would start now. It gets a workspace and a name of its own where another run in the
    queue has these, and always if own.

    Raises Undecided with the choices when an answer is needed, and HostError, SettingError, WorkspaceError, QueueError
    when the run could not start.
    """
    run = require_possible(run, host)
    queue = queue_of(host.folders)
    if own or (answer not in CONTINUES and is_used(run, workspace, queue.rows())):
        run, workspace = own_place(run, host, queue.rows())
        answer = ""
    else:
        workspace.save_run(run)
        decision = decide(run, host, workspace, answer)
        if not decision.restart:
            checkpoint = checkpoint_of(run.base, host)
            require_same_family(workspace, host.kind(checkpoint), checkpoint.title)
        run, answer = decision.run, settled(answer)
    return queue.add(run, workspace.name, answer, sweep, varied, before)


def settled(answer: str) -> str:
    """The answer for a run that has its final name already."""
    if answer not in ANSWERS:
        return ""
    return CONTINUE_OVERWRITE if answer in CONTINUES else RESTART_OVERWRITE


def require_possible(run: Run, host: Host) -> Run:
    """The run, if it says enough to start here. Raises HostError, SettingError."""
    require_training(host)
    checkpoint_of(run.base, host)
    run = require_startable(run)
    require_installed(run.training.optimizer_kind)
    return run


def is_used(run: Run, workspace: Workspace, rows: Iterable[Row]) -> bool:
    """Whether a run that is still to come has this name or workspace."""
    return bool({run.output.name.lower(), workspace.name.lower()} & taken(rows))


def taken(rows: Iterable[Row]) -> set[str]:
    return {name.lower() for row in rows if row.state in PENDING for name in (row.name, row.workspace)}


def own_place(run: Run, host: Host, rows: Iterable[Row]) -> tuple[Run, Workspace]:
    """The run as ghost-v2, ghost-v3, ..., whichever is free, in a new workspace of that name. Raises WorkspaceError."""
    root, used, stem = host.folders.workspaces, taken(rows), VERSION.sub("", run.output.name)
    names = (f"{stem}-v{number}" for number in count(2))
    name = next(name for name in names if name.lower() not in used and not (root / name).exists()
                and not name_taken(with_name(run, name), host.folders))
    named = with_name(run, name)
    return named, create_workspace(root, name, named)


def duplicate(row: Row, host: Host) -> Row:
    """The same run once more, behind this one, in a place of its own. Raises as add_run does."""
    pending = [other for other in queue_of(host.folders).rows() if other.state in PENDING]
    later = [other for other in pending if other.place > row.place]
    space = open_workspace(host.folders.workspaces, row.workspace)
    return add_run(row.run(), host, space, own=True, before=later[0].id if row in pending and later else None)


def in_own_place(row: Row, host: Host) -> Row:
    """The row, moved where nothing was trained: since it was added, something else was in its place."""
    queue = queue_of(host.folders)
    run, space = own_place(row.run(), host, [other for other in queue.rows() if other.id != row.id])
    return queue.update(row.id, workspace=space.name, name=run.output.name, settings=as_settings(run), answer="")
