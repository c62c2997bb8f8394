"""The files that the runs of a workspace have written, by its logs: only these may be deleted or replaced unasked."""

import json
from collections.abc import Iterator
from pathlib import Path

from ..support.disk import read_if_there
from .workspace import EVENTS, Log, Workspace

MARK = b'"saved"'


def saved_files(workspace: Workspace) -> set[Path]:
    return {path for log in workspace.logs() for path in saved_in(log)}


def saved_in(log: Log) -> Iterator[Path]:
    for line in (read_if_there(log.folder / EVENTS) or b"").splitlines():
        if MARK not in line:
            continue
        try:
            event = json.loads(line)
            if event["what"] == "saved":
                yield Path(event["path"])
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # a damaged line
