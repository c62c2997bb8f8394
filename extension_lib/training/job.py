"""Jobs: runs on threads of their own, which any number of pages can follow and re-join."""

import logging
import threading
import time
from dataclasses import dataclass, field

from ..events import Began, Ended, Event, Prepared, Previewed, Saved, Stepped, Warned
from ..host import Checkpoint, Host
from ..run import Run
from ..workspace import Log, Workspace
from .loop import Wishes
from .session import Session

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
    save_now: bool = False
    changed: threading.Condition = field(default_factory=threading.Condition)
    times: list[tuple[float, int]] = field(default_factory=list)  # when each step ended

    @property
    def ended(self) -> Ended | None:
        last = self.history[-1] if self.history else None
        return last if isinstance(last, Ended) else None

    @property
    def step(self) -> int:
        return next((e.step for e in reversed(self.history) if isinstance(e, (Stepped, Ended))), 0)

    @property
    def began(self) -> Began | None:
        return next((e for e in self.history if isinstance(e, Began)), None)

    def seconds_left(self) -> float | None:
        """From the pace of the last steps; None before there is one."""
        recent = self.times[-50:]
        if len(recent) < 2 or self.ended:
            return None
        pace = (recent[-1][0] - recent[0][0]) / max(1, recent[-1][1] - recent[0][1])
        return pace * (self.run.training.steps - recent[-1][1])

    def stop(self, why: str = "Stopped by you.") -> None:
        self.stop_why = self.stop_why or why

    def ask_to_save(self) -> None:
        self.save_now = True

    def wait(self, timeout: float | None = None) -> Ended | None:
        """Waits for the end; None when the time ran out first."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended is not None, timeout)
        return self.ended

    def tell(self, event: Event) -> None:
        with self.changed:
            self.history.append(event)
            if isinstance(event, Stepped):
                self.times.append((time.monotonic(), event.step))
            self.changed.notify_all()
        self.host.show(event)

    def wishes(self) -> Wishes:
        return Wishes(stopping=self.stopping, saving=self.take_save_wish)

    def stopping(self) -> str:
        return self.stop_why or ("Stopped by the WebUI's Interrupt." if self.host.stopping() else "")

    def take_save_wish(self) -> bool:
        wish, self.save_now = self.save_now, False
        return wish

    def work(self) -> None:
        """Runs to the end, whatever happens. One of the two places that catch everything."""
        record = self.workspace.new_log()
        record.settings(self.run)
        try:
            for event in Session(self.run, self.host, self.workspace, self.checkpoint, self.wishes()).events():
                write(record, event)
                self.tell(event)
        except Exception as error:
            log.exception("The run %s failed", self.run.output.name)
            ended = Ended(self.step, str(error) or type(error).__name__, failed=True)
            write(record, ended)
            self.tell(ended)


def write(record: Log, event: Event) -> None:
    """One line of the run's log; previews become pictures beside it."""
    if isinstance(event, Stepped):
        record.line("step", step=event.step, loss=event.loss, rate=event.rate, skipped=event.skipped,
                    **({} if event.class_loss is None else {"class_loss": event.class_loss}))
    elif isinstance(event, Previewed):
        for number, image in enumerate(event.images):
            image.save(record.preview(event.step, number))
    elif isinstance(event, Saved):
        record.line("saved", step=event.step, path=str(event.path))
    elif isinstance(event, Warned):
        record.line("warning", message=event.message)
    elif isinstance(event, Ended):
        record.line("ended", step=event.step, why=event.why, failed=event.failed)
    elif not isinstance(event, Prepared):
        record.line("began", start=event.start, steps=event.steps)


def running() -> Job | None:
    return next((job for job in jobs if not job.ended), None)


def start(run: Run, host: Host, workspace: Workspace, checkpoint: Checkpoint) -> Job:
    """Begins a run on a thread of its own. Raises Busy."""
    if job := running():
        raise Busy(f"{job.run.output.name} is being trained. Wait for it, or stop it first.")
    job = Job(run, host, workspace, checkpoint)
    jobs.append(job)
    threading.Thread(target=job.work, name=f"darkroom {run.output.name}", daemon=True).start()
    return job
