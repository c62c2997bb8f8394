"""Locks between programs: who uses something says so in a file, and is believed only while it lives."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from ..errors import DarkroomError
from .disk import read_if_there, save_errors, write_text

Lock = FileLock | SoftFileLock
PATIENCE = 0.5  # seconds; another program may just be looking whether it is locked


class Locked(DarkroomError, RuntimeError):
    """Another program uses it; the message says which."""


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Within, no other program can lock this path. The system frees it when this program ends, however it ends.

    Raises Locked, SaveError.
    """
    holder = path.with_suffix(".json")
    with save_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = acquire(path, PATIENCE)
    if lock is None:
        raise Locked(f"{what} is in use by {name_of(holder)}. Wait until it is done, or stop it there.")
    try:
        write_text(holder, json.dumps({"program": os.getpid(), "computer": socket.gethostname(),
                                       "since": time.strftime("%Y-%m-%d %H:%M")}))
        yield
    finally:
        with suppress(OSError):
            holder.unlink(missing_ok=True)
        lock.release()


def acquire(path: Path, patience: float = 0) -> Lock | None:
    """The lock, held; None when another program still holds it after so many seconds."""
    lock: Lock = FileLock(path, timeout=patience, thread_local=False)
    try:
        with suppress(Timeout):
            lock.acquire()
            return lock
    except NotImplementedError:  # some network drives have no locks; then the file's existence is the lock
        lock = SoftFileLock(path, timeout=patience, thread_local=False)
        with suppress(Timeout):
            lock.acquire()
            return lock
    return None


def is_locked(path: Path) -> bool:
    """Whether another program, or this one, holds the lock now."""
    if not path.exists():
        return False
    lock = acquire(path)
    if lock:
        lock.release()
    return lock is None


def name_of(holder: Path) -> str:
    try:
        said = json.loads(read_if_there(holder) or b"")
        return f"the program with the number {said['program']} on {said['computer']}, since {said['since']}"
    except (ValueError, KeyError, TypeError):
        return "another program"
