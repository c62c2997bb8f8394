"""Jobs: runs on threads of their own, which any number of pages can follow and re-join."""

import logging
import threading
import time
from dataclasses import dataclass, field

from .. import memory
from ..config.run import Run
from ..events import Began, Ended, Event, Paused, Stepped
from ..host import Checkpoint, Host
from ..training.controls import Wishes
from ..workspaces.record import Record, recording
from ..workspaces.workspace import Workspace

log = logging.getLogger("darkroom")

jobs: list["Job"] = []  # of this process; the only thing that outlives a page


class Busy(RuntimeError):
    """A job is running already."""


@dataclass(eq=False)
class Job:
    """One run, its history and what is asked of it. Everything here may be read from any thread."""

    run: Run
    host: Host
    workspace: Workspace
    checkpoint: Checkpoint
    history: list[Event] = field(default_factory=list)
    created: float = field(default_factory=time.time)
    stop_why: str = ""
    discard_why: str = ""
    save_now: bool = False
    pause_wish: bool = False
    preferred: int | None = None  # the step whose copy a person likes best
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
        """The pace of the last steps, with all that was done between them; None before there is one."""
        recent = self.times[-50:]
        if len(recent) < 2:
            return None
        return (recent[-1][0] - recent[0][0]) / max(1, recent[-1][1] - recent[0][1])

    def seconds_left(self) -> float | None:
        """From the pace of the last steps; None before there is one."""
        pace = self.seconds_per_step()
        return None if pace is None or self.ended else pace * (self.run.training.steps - self.step)

    def stop(self, why: str = "Stopped by you.") -> None:
        """Ends after this step, also out of a pause; what was learned is saved."""
        with self.changed:
            self.stop_why = self.stop_why or why
            self.changed.notify_all()

    def discard(self, why: str = "Stopped by you. What was learned since the last save is discarded.") -> None:
        """Ends after this step, also out of a pause; all is as the last save, or the start, left it."""
        with self.changed:
            self.discard_why = self.discard_why or why
            self.changed.notify_all()

    def pause(self) -> None:
        """Gives the host its model back after this step, until go_on()."""
        self.pause_wish = True

    def go_on(self) -> None:
        with self.changed:
            self.pause_wish = False
            self.changed.notify_all()

    def ask_to_save(self) -> None:
        self.save_now = True

    def wait(self, timeout: float | None = None) -> Ended | None:
        """Waits for the end; None when the time ran out first."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended is not None, timeout)
        return self.ended

    def tell(self, event: Event) -> None:
        if self.record:
            self.record.write(event)
        with self.changed:
            self.history.append(event)
            if isinstance(event, Stepped):
                self.times.append((time.monotonic(), event.step))
            elif isinstance(event, Began):
                self.times.clear()  # a pause is no part of the pace
            self.changed.notify_all()
        self.host.show(event)

    def wishes(self) -> Wishes:
        return Wishes(stopping=self.stopping, discarding=lambda: self.discard_why, pausing=lambda: self.pause_wish,
                      no_pause=self.go_on, pause_over=self.wait_for_go_on, saving=self.take_save_wish)

    def stopping(self) -> str:
        return self.stop_why or ("Stopped by the WebUI's Interrupt." if self.host.stopping() else "")

    def wait_for_go_on(self) -> None:
        with self.changed:
            self.changed.wait_for(lambda: not self.pause_wish or self.stop_why or self.discard_why)
            self.pause_wish = False

    def take_save_wish(self) -> bool:
        wish, self.save_now = self.save_now, False
        return wish

    def work(self) -> None:
        """Runs to the end, whatever happens. One of the two places that catch everything."""
        try:
            from .session import Session

            with recording(self.workspace.new_log(), self.run) as self.record:
                for event in Session(self.run, self.host, self.workspace, self.checkpoint, self.wishes()).events():
                    self.tell(event)
        except Exception as error:
            log.exception("The run %s failed", self.run.output.name)
            self.tell(Ended(self.step, why(error, self.run), failed=True))


def why(error: Exception, run: Run) -> str:
    if memory.ran_out(error):
        return f"Out of memory. To need less: {memory.remedy(run)}."
    return str(error) or type(error).__name__


def running() -> Job | None:
    return next((job for job in jobs if not job.ended), None)


def start(run: Run, host: Host, workspace: Workspace, checkpoint: Checkpoint) -> Job:
    """Begins a run on a thread of its own. Raises Busy."""
    job = Job(run, host, workspace, checkpoint)
    jobs.append(job)
    if (first := running()) and first is not job:  # asked when it is in the list, so that of two begun at once one alone goes on
        jobs.remove(job)
        raise Busy(f"{first.run.output.name} is being trained. Wait for it, or stop it first.")
    job.thread = threading.Thread(target=job.work, name=f"darkroom {run.output.name}", daemon=True)
    job.thread.start()
    return job
