"""When the program ends, the running job first keeps what it has learned."""

import atexit
import logging
import signal
import threading
from dataclasses import dataclass
from types import FrameType
from typing import Any

from .job import running_job

SECONDS = 120  # to wait for the step that is being done, and for the disk
SIGNALS = ("SIGTERM", "SIGHUP", "SIGBREAK")  # the last one is Windows'

log = logging.getLogger("darkroom")


def leave(reason: str) -> None:
    """Ends the running job after its step; what it has learned is then in its workspace. reason: a sentence.

    Asked a second time, as by another Ctrl-C, it does not wait.
    """
    job = running_job()
    if job is None or job.leave_reason:
        return
    log.warning("%s Keeping what %s has learned.", reason, job.run.output.name)
    job.leave(reason)
    job.wait(SECONDS)


@dataclass(frozen=True)
class LeaveFirst:
    """A signal's handler: leave, then what was done at this signal before."""

    before: Any

    def __call__(self, number: int, frame: FrameType | None) -> None:
        leave(f"The program was told to end ({signal.Signals(number).name}).")
        if callable(self.before):
            self.before(number, frame)
        elif self.before != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


def leave_at_end(*more: str) -> None:
    """From now on every orderly end of this program leaves first. more: names of signals beside SIGNALS.

    Only a program's main thread may handle signals; elsewhere the end of the interpreter alone is watched.
    """
    atexit.unregister(at_exit)
    atexit.register(at_exit)
    if threading.current_thread() is not threading.main_thread():
        return
    for name in (*SIGNALS, *more):
        number = getattr(signal, name, None)
        before = signal.getsignal(number) if number else None
        if number and not isinstance(before, LeaveFirst):
            signal.signal(number, LeaveFirst(before))


def at_exit() -> None:
    leave("The program ended.")
