"""What all WebUIs of this kind share: their queue, their progress bar, their Interrupt, "Reload UI" and their end."""

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from modules import call_queue, progress, restart, shared

from ...data.pictures import PictureError, load_picture
from ...events import Began, Event, Prepared, Previewed, Stepped
from ...runs.leaving import leave

MOMENT = 0.1  # seconds
TRAINING = re.compile(r"task\(darkroom-[0-9a-f]{8}\)")  # what holding_queue("Darkroom") calls its task


@contextmanager
def holding_queue(job: str) -> Iterator[None]:
    """Holds the WebUI's queue: no picture is generated meanwhile, and a picture being generated is waited for."""
    task = f"task({job.lower().replace(' ', '-')}-{uuid.uuid4().hex[:8]})"
    progress.add_task_to_queue(task)
    with call_queue.queue_lock:
        shared.state.begin(job=task)
        progress.start_task(task)
        try:
            yield
        finally:
            progress.finish_task(task)
            shared.state.end()
            shared.state.interrupted = shared.state.skipped = shared.state.stopping_generation = False
            shared.state.textinfo = None


def is_wanted() -> bool:
    """Whether the WebUI's queue has a task other than a job's, or works on one."""
    tasks = [*progress.pending_tasks, *([progress.current_task] if progress.current_task else [])]
    return any(not TRAINING.fullmatch(task) for task in tasks)


@contextmanager
def outliving_reload() -> Iterator[None]:
    """Within, "Reload UI" does not count as an interruption, and before the WebUI's program ends or starts again the
    running job keeps what it has learned.

    "Reload UI" interrupts, then asks the server to restart (modules/shared_state.py). Its button holds the method
    itself, so the property that it sets is replaced.
    """
    kind, end = type(shared.state), restart.stop_program
    command = kind.server_command

    def set_command(state: Any, value: str | None) -> None:
        if value == "restart":
            state.interrupted = False
        command.fset(state, value)

    def keep_and_end() -> None:
        leave("The WebUI ended, or started again.")
        end()

    kind.server_command = property(command.fget, set_command)
    restart.stop_program = keep_and_end
    try:
        yield
    finally:
        kind.server_command, restart.stop_program = command, end


def show(event: Event) -> None:
    """In the WebUI's own progress bar."""
    state = shared.state
    if isinstance(event, Prepared):
        state.textinfo = event.what
    elif isinstance(event, Began):
        state.job_count, state.job_no = event.steps, event.start
    elif isinstance(event, Stepped):
        state.job_no = event.step
        state.textinfo = f"Step {event.step} of {state.job_count}, loss {event.loss:.4f}"
    elif isinstance(event, Previewed) and event.paths:
        with suppress(PictureError):  # the file may be gone
            state.assign_current_image(load_picture(event.paths[0]))


def stopping() -> bool:
    """Looked at twice: "Reload UI" interrupts for a moment (outliving_reload)."""
    if not interrupted():
        return False
    time.sleep(MOMENT)
    return interrupted()


def interrupted() -> bool:
    return bool(shared.state.interrupted or shared.state.stopping_generation)
