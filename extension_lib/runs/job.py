"""Jobs: runs, each on its own thread, that any number of pages can follow."""

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .. import memory
from ..config.run import Run
from ..errors import DarkroomError, is_out_of_memory
from ..events import Began, Ended, Event, Paused, Stepped
from ..host import Checkpoint, Host
from ..training.controls import Controls
from ..training.guard import Guard
from ..workspaces.record import Record, recording
from ..workspaces.workspace import Workspace

if TYPE_CHECKING:
    from .session import Session

jobs: list["Job"] = []  # of this process; the newest last
starting = threading.Lock()


class Busy(DarkroomError, RuntimeError):
    """A job is running already."""


@dataclass(eq=False)
class Job:
    """One run, what has happened in it, and what people have requested. Any thread may read it."""

    run: Run
    host: Host
    workspace: Workspace
    checkpoint: Checkpoint
    restart: bool = False  # whether it leaves aside what was trained before in its workspace
    history: list[Event] = field(default_factory=list)
    created: float = field(default_factory=time.time)
    stop_reason: str = ""
    discard_reason: str = ""
    save_requested: bool = False
    pause_requested: bool = False
    preferred: int | None = None  # the step whose copy a person prefers
    changed: threading.Condition = field(default_factory=threading.Condition)
    times: list[tuple[float, int]] = field(default_factory=list)  # when each step ended
    record: Record | None = None
    thread: threading.Thread | None = None

    @property
    def ended(self) -> Ended | None:
        last = self.history[-1] if self.history else None
        return last if isinstance(last, Ended) else None

    @property
    def paused(self) -> bool:
        """Whether the host has its model back until someone continues the run."""
        return bool(self.history) and isinstance(self.history[-1], Paused)

    @property
    def step(self) -> int:
        return next((e.step for e in reversed(self.history) if isinstance(e, (Stepped, Paused, Ended))), 0)

    @property
    def began(self) -> Began | None:
        return next((e for e in self.history if isinstance(e, Began)), None)

    def seconds_per_step(self) -> float | None:
        """The mean over the last steps, with everything done between them; None before the second step."""
        recent = self.times[-50:]
        if len(recent) < 2:
            return None
        return (recent[-1][0] - recent[0][0]) / max(1, recent[-1][1] - recent[0][1])

    def seconds_left(self) -> float | None:
        """By the speed of the last steps; None before the second step."""
        pace = self.seconds_per_step()
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
        with self.changed:
            self.history.append(event)
            if isinstance(event, Stepped):
                self.times.append((time.monotonic(), event.step))
            elif isinstance(event, Began):
                self.times.clear()  # a pause does not count as time per step
            self.changed.notify_all()
        self.host.show(event)

    def controls(self) -> Controls:
        return Controls(stop_reason=self.reason_to_stop, discard_reason=lambda: self.discard_reason,
                        pause_requested=lambda: self.pause_requested, pause_refused=self.resume,
                        wait_for_resume=self.wait_for_resume, take_save_request=self.take_save_request)

    def reason_to_stop(self) -> str:
        return self.stop_reason or ("Stopped by the WebUI's Interrupt." if self.host.stopping() else "")

    def wait_for_resume(self) -> None:
        with self.changed:
            self.changed.wait_for(lambda: not self.pause_requested or self.stop_reason or self.discard_reason)
            self.pause_requested = False

    def take_save_request(self) -> bool:
        requested, self.save_requested = self.save_requested, False
        return requested

    def session(self) -> "Session":
        from .session import Session  # imports torch

        return Session(self.run, self.host, self.workspace, self.checkpoint, self.controls(), self.restart)

    def work(self) -> None:
        """Runs to the end, whatever happens."""
        with (Guard(f"The run {self.run.output.name}") as guard,
              recording(self.workspace.new_log(), self.run) as self.record):
            for event in self.session().events():
                self.add_event(event)
        if guard.error:
            short = is_out_of_memory(guard.error)
            reason = f"Out of memory. To use less: {memory.advice(self.run)}." if short else guard.reason
            self.add_event(Ended(self.step, reason, failed=True))


def running_job() -> Job | None:
    return next((job for job in jobs if not job.ended), None)


def require_idle() -> None:
    """Raises Busy while a job is running."""
    if job := running_job():
        raise Busy(f"{job.run.output.name} is being trained. Wait for it, or stop it first.")


def start_job(run: Run, host: Host, workspace: Workspace, checkpoint: Checkpoint, restart: bool = False) -> Job:
    """Begins a run on a thread of its own. Raises Busy."""
    with starting:  # of two started at once only one runs
        require_idle()
        job = Job(run, host, workspace, checkpoint, restart)
        jobs.append(job)
    job.thread = threading.Thread(target=job.work, name=f"darkroom {run.output.name}", daemon=True)
    job.thread.start()
    return job
