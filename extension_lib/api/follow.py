"""What happens in a job, as it happens: the lines of its log, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator

from ..host import Folders
from ..overnight.queue import Queue
from ..overnight.row import OVER, Row
from ..workspaces.workspace import Log, Workspace
from .answers import plain

LOOK = 0.3  # seconds
PING = 15.0  # seconds without a line, after which one without meaning is sent: proxies close what is silent


def logs_of(row: Row, folders: Folders) -> list[Log]:
    """The logs of its starts, the oldest first."""
    space = Workspace(folders.workspaces / row.workspace)
    return space.logs() if row.began is not None else []


def lines_of(row: Row, folders: Folders) -> list[dict[str, object]]:
    return [line for log in logs_of(row, folders) for line in log.read_lines() if line]


async def stream(queue: Queue, id: int, folders: Folders, after: int, wait: bool) -> AsyncIterator[str]:
    """The lines behind the first `after` ones; with wait, also those to come, until the job is over."""
    sent, silent = after, 0.0
    while True:
        row = await asyncio.to_thread(queue.row, id)
        for line in (await asyncio.to_thread(lines_of, row, folders))[sent:]:
            sent, silent = sent + 1, 0.0
            yield f"id: {sent}\nevent: {line['what']}\ndata: {json.dumps(plain(line))}\n\n"
        if not wait or row.state in OVER:
            yield f"event: job\ndata: {json.dumps({'id': id, 'state': row.state, 'reason': row.reason})}\n\n"
            return
        await asyncio.sleep(LOOK)
        silent += LOOK
        if silent > PING:
            silent = 0.0
            yield ": still here\n\n"
