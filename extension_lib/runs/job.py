"""Jobs: runs, each on its own thread, that any number of pages can follow."""

import threading
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import memory
from ..config.run import Run
from ..errors import DarkroomError, is_out_of_memory
from ..events import Ended, Event, Paused
from ..host import Checkpoint, Host
from ..support.locks import locked
from ..training.controls import Controls
from ..training.guard import Guard
from ..workspaces.record import Record, recording
from ..workspaces.workspace import LOCK, LOCKS, Log, Workspace
from .at_end import tell
from .summary import Summary

if TYPE_CHECKING:
    from ..training.ranks import Ranks
    from .session import Session

KEPT_EVENTS, KEPT_JOBS = 2000, 8  # the newest events of a job, and the newest jobs, that stay in memory
jobs: list["Job"] = []  # the newest of this process, at most KEPT_JOBS; the only thing that outlives a page
starting = threading.Lock()


class Busy(DarkroomError, RuntimeError):
    """A job is running already."""


@dataclass(eq=False)
class Job:
    """One run, what has happened in it, and what people have requested. Any thread may read it.

    It stays small however long the run is, and however many there were: only the log in the workspace has all events.
    """

    run: Run
    host: Host
    workspace: Workspace
    checkpoint: Checkpoint
    restart: bool = False  # whether it leaves aside what was trained before in its workspace
    ranks: "Ranks | None" = None  # the processes that train it together
    history: deque[Event] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))  # the newest events
    events: int = 0  # how many there were
    summary: Summary = field(default_factory=Summary)  # of all events
    created: float = field(default_factory=time.time)
    stop_reason: str = ""
    discard_reason: str = ""
    leave_reason: str = ""
    save_requested: bool = False
    pause_requested: bool = False
    preferred: int | None = None  # the step whose copy a person prefers
    changed: threading.Condition = field(default_factory=threading.Condition)
    record: Record | None = None  # while it runs
    locks: ExitStack = field(default_factory=ExitStack)  # what no other program may use meanwhile
    thread: threading.Thread | None = None

    @property
    def ended(self) -> Ended | None:
        last = self.summary.last
        return last if isinstance(last, Ended) else None

    @property
    def paused(self) -> bool:
        """Whether the host has its model back until someone continues the run."""
        return isinstance(self.summary.last, Paused)

    @property
    def step(self) -> int:
        return self.summary.step

    def seconds_left(self) -> float | None:
        """By the speed of the last steps; None before the second step."""
        pace = self.summary.seconds_per_step()
        return None if pace is None or self.ended else pace * (self.run.training.steps - self.step)

    def stop(self, reason: str = "Stopped by you.") -> None:
        """Ends after this step, also out of a pause; what was learned is saved."""
        with self.changed:
            self.stop_reason = self.stop_reason or reason
            self.changed.notify_all()

    def discard(self, reason: str = "Stopped by you. What was learned since the last save is discarded.") -> None:
        """Ends after this step, also out of a pause; everything is as after the last save, or before the start."""
        with self.changed:
            self.discard_reason = self.discard_reason or reason
            self.changed.notify_all()

    def leave(self, reason: str) -> None:
        """Ends after this step, because the program ends; what was learned is kept in the workspace alone."""
        with self.changed:
            self.leave_reason = self.leave_reason or reason
            self.changed.notify_all()

    def pause(self) -> None:
        """Gives the model back to the host after this step, until resume()."""
        self.pause_requested = True

    def resume(self) -> None:
        with self.changed:
            self.pause_requested = False
            self.changed.notify_all()

    def request_save(self) -> None:
        self.save_requested = True

    def wait(self, timeout: float | None = None) -> Ended | None:
        """Waits for the end; None when the time ran out first."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended is not None, timeout)
        return self.ended

    def add_event(self, event: Event) -> None:
        if self.record:
            self.record.write(event)
        if isinstance(event, Ended):
            self.locks.close()  # before anyone sees that it has ended
        self.keep(event)
        self.host.show(event)

    def keep(self, event: Event) -> None:
        with self.changed:
            self.history.append(event)
            self.events += 1
            self.summary.add(event)
            self.changed.notify_all()

    def events_after(self, count: int) -> tuple[list[Event], int]:
        """The events behind the first `count` ones, as far as they are still in memory, and how many there were by
        now.
        """
        with self.changed:
            new = min(self.events - count, len(self.history))
            return list(self.history)[len(self.history) - new:], self.events

    def controls(self) -> Controls:
        return Controls(stop_reason=self.reason_to_stop, discard_reason=lambda: self.discard_reason,
                        leave_reason=lambda: self.leave_reason, pause_requested=lambda: self.pause_requested,
                        pause_refused=self.resume,
                        wait_for_resume=self.wait_for_resume, take_save_request=self.take_save_request)

    def reason_to_stop(self) -> str:
        return self.stop_reason or ("Stopped by the WebUI's Interrupt." if self.host.stopping() else "")

    def wait_for_resume(self) -> None:
        with self.changed:
            self.changed.wait_for(lambda: not self.pause_requested or self.stop_reason or self.discard_reason
                                  or self.leave_reason)
            self.pause_requested = False

    def take_save_request(self) -> bool:
        requested, self.save_requested = self.save_requested, False
        return requested

    def session(self, log: Log) -> "Session":
        from ..training.ranks import ALONE  # imports torch, as does the next one
        from .session import Session

        return Session(self.run, self.host, self.workspace, self.checkpoint, log, self.controls(), self.restart,
                       ranks=self.ranks or ALONE)

    def work(self) -> None:
        """Runs to the end, whatever happens."""
        session = None
        with Guard(f"The run {self.run.output.name}") as guard:
            log = self.workspace.new_log()
            session = self.session(log)
            with recording(log, self.run) as self.record:
                for event in session.events():
                    self.add_event(event)
        self.record = None
        if guard.error:
            planned = session.planned if session else ""
            reason = self.out_of_memory(planned) if is_out_of_memory(guard.error) else guard.reason
            guard.error = None  # its traceback holds the session, and with it the model
            self.add_event(Ended(self.step, reason, failed=True))
        if self.ended and not self.ended.leaving:
            tell(self.host.folders.workspaces, self.in_short(self.ended))

    def in_short(self, ended: Ended) -> dict[str, str | int]:
        """What has ended, for other programs."""
        state = "failed" if ended.failed else "discarded" if ended.discarded else "done"
        return {"name": self.run.output.name, "state": state, "why": ended.why, "step": ended.step}

    def out_of_memory(self, planned: str = "") -> str:
        """Why the run ends before its first step, and what to change."""
        kind = self.host.kind(self.checkpoint)
        remedy = memory.advice(self.run, kind.family) if kind else memory.advice(self.run)
        if planned:
            return f"Out of memory before the first step. Planned: {planned}. To use less: {remedy}."
        return f"Out of memory. To use less: {remedy}."


def lock_for(job: Job) -> None:
    """Raises Locked, SaveError."""
    root, name = job.host.folders.workspaces, job.run.output.name
    with ExitStack() as locks:
        locks.enter_context(locked(job.workspace.folder / LOCK, f"The workspace {job.workspace.name}"))
        locks.enter_context(locked(root / LOCKS / f"{name}.lock", f"The name {name}"))
        job.locks = locks.pop_all()


def running_job() -> Job | None:
    return next((job for job in jobs if not job.ended), None)


def require_idle() -> None:
    """Raises Busy while a job is running."""
    if job := running_job():
        raise Busy(f"{job.run.output.name} is being trained. Wait for it, or stop it first.")


def start_job(run: Run, host: Host, workspace: Workspace, checkpoint: Checkpoint, restart: bool = False,
              ranks: "Ranks | None" = None) -> Job:
    """Begins a run on a thread of its own. Raises Busy, and Locked where another program uses the workspace or trains
    under this name."""
    with starting:  # of two started at once only one runs
        require_idle()
        job = Job(run, host, workspace, checkpoint, restart, ranks)
        lock_for(job)
        jobs[:] = [*jobs, job][-KEPT_JOBS:]
    job.thread = threading.Thread(target=job.work, name=f"darkroom {run.output.name}", daemon=True)
    job.thread.start()
    return job
