"""What the API says of a run, a workspace, a file and a setting."""

from collections.abc import Sequence
from typing import Any

from ..compare.series import KINDS, Series
from ..config.run import Run, all_sections, to_dict
from ..errors import DarkroomError
from ..host import Folders
from ..overnight.expected import Expected, expectations, run_of, steps_done
from ..overnight.row import Row
from ..settings import LINES, Option, options
from ..support.disk import modified_time
from ..workspaces.last_run import last_run
from ..workspaces.saved_files import saved_files
from ..workspaces.workspace import Workspace

TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", LINES: "list of strings"}


def jobs_said(rows: Sequence[Row], folders: Folders) -> list[dict[str, Any]]:
    return [job_said(row, expected, folders) for row, expected in zip(rows, expectations(rows, folders))]


def job_said(row: Row, expected: Expected, folders: Folders) -> dict[str, Any]:
    return {"id": row.id, "state": row.state, "name": row.name, "workspace": row.workspace, "method": row.method,
            "step": steps_done(row, folders), "steps": row.steps, "reason": row.reason, "request": row.request,
            "sweep": row.sweep, "changes": dict(row.changes), "created": row.created, "began": row.began,
            "ended": row.ended, "seconds": expected.seconds, "expected_end": expected.end}


def job_in_full(row: Row, rows: Sequence[Row], folders: Folders) -> dict[str, Any]:
    """With its settings, and its files where it has some."""
    said = next(said for said in jobs_said(rows, folders) if said["id"] == row.id)
    run = run_of(row)
    return {**said, "settings": settings_of(run) if run else None,
            "files": files_of(Workspace(folders.workspaces / row.workspace))}


def settings_of(run: Run) -> dict[str, Any]:
    return to_dict(run)


def files_of(space: Workspace) -> list[str]:
    return sorted(path.name for path in saved_files(space) if path.exists())


def workspace_said(space: Workspace) -> dict[str, Any]:
    try:
        run = space.read_run()
        return {"name": space.name, "method": run.method.name, "checkpoint": run.base.checkpoint,
                "steps": space.lifetime, "last_run": last_run(space), "error": ""}
    except DarkroomError as error:
        return {"name": space.name, "method": None, "checkpoint": None, "steps": 0, "last_run": "",
                "error": str(error)}


def file_said(series: Series) -> dict[str, Any]:
    return {"kind": series.kind, "name": series.name, "method": series.method, "steps": list(series.steps),
            "tag": KINDS[series.kind].tag, "words": list(series.words), "modified": modified_time(series.copies[-1][1])}


def schema() -> dict[str, Any]:
    """Every setting, by section: what the settings of a job may hold."""
    return {section: [option_said(option) for option in options(cls)] for section, cls in all_sections().items()}


def option_said(option: Option) -> dict[str, Any]:
    return {"name": option.name, "type": TYPES[option.kind], "default": option.default, "label": option.label,
            "help": option.help, "min": option.min, "max": option.max, "choices": list(option.choices),
            "advanced": option.advanced}
