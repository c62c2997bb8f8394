"""The one that runs the queue: a run after the other, each begun as Train begins it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..events import Ended
from ..host import Host
from ..runs.job import Busy, Job, running_job
from ..runs.start import CONTINUE_OVERWRITE, RESTART_OVERWRITE, begin_run, choices, decide
from ..support.locks import Lock, acquire, locked
from ..training.guard import Guard
from ..workspaces.workspace import Workspace, open_workspace
from .adding import in_own_place
from .outcome import conclude, over
from .queue import Queue, queue_of
from .row import (
    CANCEL,
    CANCELLED,
    DISCARD,
    DONE,
    FAILED,
    HELD,
    HOLD,
    INTERRUPTED,
    OVER,
    PENDING,
    RUNNING,
    STOP,
    WAITING,
    Row,
)
from .rules import ASK, GO_ON, WAIT, Rules, read_rules

LOCK = "queue.lock"  # in the folder of workspaces: held by the program that runs the queue
LOOK, AWAY = 0.5, 5.0  # seconds between two looks: at what happens here, at the queue of another program
QUIET = 3.0  # seconds without a request, after which a run that gave way goes on
CANCELLED_BY, HELD_BY, TIME_OVER = ("Cancelled by you. What was learned is kept in its workspace.", "Set aside by you.",
                                    "It is not the time to train.")
WAITS = {ASK: INTERRUPTED, GO_ON: WAITING, WAIT: HELD}


@dataclass(eq=False)
class Worker:
    """Runs the queue of a host; of all programs only one does."""

    host: Host
    permitted: bool = False  # whether whoever started it said that interrupted runs go on
    clock: Callable[[], time.struct_time] = time.localtime
    woken: threading.Event = field(default_factory=threading.Event)
    closing: bool = False
    given_up: set[str] = field(default_factory=set)  # sweeps without a table, for a reason that was logged
    last_wanted: float = field(default_factory=time.monotonic)  # when a picture was last asked for

    @property
    def queue(self) -> Queue:
        return queue_of(self.host.folders)

    def wake(self) -> None:
        """There is something to do."""
        self.woken.set()

    def close(self) -> None:
        self.closing = True
        self.wake()

    # ---- all of the queue

    def serve(self) -> None:
        """Runs what is in the queue and what is added, until it is closed; waits while another program does."""
        while not self.closing:
            with Guard("The queue"):
                if lock := self.lock():
                    try:
                        self.settle_interrupted()
                        self.work()
                    finally:
                        lock.release()
            if not self.closing:
                self.rest(AWAY)

    def lock(self) -> Lock | None:
        self.folder.mkdir(parents=True, exist_ok=True)
        return acquire(self.folder / LOCK)

    @property
    def folder(self) -> Path:
        return self.host.folders.workspaces

    def run_all(self, told: Callable[[Row], None] = lambda row: None) -> None:
        """Runs all that waits, and returns. told: called with each row as it begins and as it ends. Raises Locked."""
        with locked(self.folder / LOCK, "The queue"):
            self.queue.note(stopped=False)
            self.settle_interrupted()
            self.work(until_empty=True, told=told)

    def work(self, until_empty: bool = False, told: Callable[[Row], None] = lambda row: None) -> None:
        while not self.closing:
            row = self.next_row()
            self.conclude_sweeps()
            if row:
                self.do(row, told)
            elif until_empty and not any(row.state == WAITING for row in self.queue.rows()):
                return
            else:
                self.rest(LOOK)

    def conclude_sweeps(self) -> None:
        """Tables and grids of sweeps whose last run is over."""
        rows = self.queue.rows()
        for name in over(rows, self.host.folders) if not running_job() else ():
            if name in self.given_up:
                continue
            with Guard(f"The sweep {name}") as guard:
                conclude(name, rows, self.host)
            self.given_up |= {name} if guard.error else set()

    def rest(self, seconds: float) -> None:
        self.woken.wait(seconds)
        self.woken.clear()

    def settle_interrupted(self) -> None:
        """Runs that a program left as running: its end interrupted them, for nobody else runs the queue now."""
        after = GO_ON if self.permitted else read_rules(self.queue).after_restart
        for row in self.queue.rows():
            if row.state == RUNNING and row.request in (CANCEL, HOLD, DISCARD):
                self.end(row, HELD if row.request == HOLD else CANCELLED, row.reason)
            elif row.state == RUNNING or (row.state == INTERRUPTED and after == GO_ON):
                self.queue.update(row.id, state=WAITS[after], place=row.place if row.state == INTERRUPTED else first(
                    self.queue), reason="The program ended while it ran.")

    def next_row(self) -> Row | None:
        """The run that may begin now."""
        wanted, rules = self.host_is_wanted(), read_rules(self.queue)
        rows = self.queue.rows()
        waits = any(row.state == INTERRUPTED for row in rows) or self.queue.fact("stopped") or running_job()
        if waits or wanted or not rules.allow(self.clock()):
            return None
        if time.monotonic() - self.last_wanted < 60 * rules.quiet_minutes:
            return None
        return next((row for row in rows if row.state == WAITING), None)

    def host_is_wanted(self) -> bool:
        wanted = self.host.wanted()
        if wanted:
            self.last_wanted = time.monotonic()
        return wanted

    # ---- one run

    def do(self, row: Row, told: Callable[[Row], None] = lambda row: None) -> None:
        """Runs it to its end, whatever happens."""
        with Guard(f"The queued run {row.name}") as guard:
            row, job = self.begin(row)
            told(row)
            if job:
                self.follow(row, job)
        if isinstance(guard.error, Busy):
            return  # it still waits
        if guard.error:
            self.end(self.queue.row(row.id), FAILED, guard.reason)
        if not self.closing:
            told(self.queue.row(row.id))

    def begin(self, row: Row) -> tuple[Row, Job | None]:
        """Begins or continues a run; no job for one that was done before. What it becomes is written down first.

        Raises a DarkroomError when it cannot begin.
        """
        space, run = self.workspace_of(row), row.run()
        newest = space.newest_state()
        moved = row.number is not None and newest is not None and newest.number > row.number
        if row.number is None:
            if not row.answer and choices(run, self.host, space):
                return self.begin(in_own_place(row, self.host))
            decide(run, self.host, space, row.answer)  # raises before anything is written
            row = self.queue.update(row.id, number=newest.number if newest else 0)
        elif moved and newest and newest.step == run.training.steps and not space.files_missing:
            self.end(row, DONE, f"All {newest.step} steps are done.")
            return self.queue.row(row.id), None
        answer = RESTART_OVERWRITE if row.answer == RESTART_OVERWRITE and not moved else CONTINUE_OVERWRITE
        row = self.queue.update(row.id, state=RUNNING, reason="", began=time.time())
        try:
            return row, begin_run(run, self.host, space, answer)
        except Busy:
            self.queue.update(row.id, state=WAITING)
            raise

    def workspace_of(self, row: Row) -> Workspace:
        return open_workspace(self.folder, row.workspace)

    def follow(self, row: Row, job: Job) -> None:
        """Until the run has ended: hands on what is asked of it, and writes down how it ended."""
        state, gave_way = "", False
        while not (ended := job.wait(LOOK)):
            with Guard("A look at the queue"):  # the run goes on without it
                rules = read_rules(self.queue)
                state = self.ask_to_leave(job, self.queue.row(row.id).request, rules) or state
                gave_way = self.give_way(job, rules, gave_way)
        if job.thread:
            job.thread.join()  # the host has its model back, and its memory
        self.finish(row, ended, state)

    def ask_to_leave(self, job: Job, request: str, rules: Rules) -> str:
        """Returns in which state the run is when it has left; "" where it need not."""
        if request in (STOP, DISCARD):
            (job.stop if request == STOP else job.discard)()
            return ""
        if request:
            job.leave(CANCELLED_BY if request == CANCEL else HELD_BY)
            return CANCELLED if request == CANCEL else HELD
        if rules.allow(self.clock()):
            return ""
        job.leave(TIME_OVER)
        return WAITING

    def give_way(self, job: Job, rules: Rules, gave_way: bool) -> bool:
        """Pauses for a picture that someone waits for, and goes on afterwards. Returns whether it is paused for one."""
        wanted = self.host_is_wanted()
        if job.paused and gave_way and not wanted and time.monotonic() - self.last_wanted > QUIET:
            job.resume()
            return False
        if rules.give_way and wanted and job.step and not job.paused and not job.pause_requested:
            job.pause()
            return True
        return gave_way

    def finish(self, row: Row, ended: Ended, state: str) -> None:
        if ended.leaving and not state:  # the program ends; the run stays where it is
            self.closing = True
        elif ended.leaving:
            self.end(row, state, ended.why)
        else:
            self.end(row, FAILED if ended.failed else CANCELLED if ended.discarded else DONE, ended.why)

    def end(self, row: Row, state: str, reason: str) -> None:
        over = time.time()
        spent = over - row.began if row.began else 0.0
        self.queue.update(row.id, state=state, reason=reason, request="", seconds=row.seconds + spent,
                          ended=over if state in OVER else None)


def first(queue: Queue) -> float:
    """A place before all others."""
    return min((row.place for row in queue.rows() if row.state in PENDING), default=1.0) - 1


# Of this process, by folder: as the jobs do, they outlive a page.
workers: dict[Path, Worker] = {}
starting = threading.Lock()


def serve_queue(host: Host) -> Worker:
    """The worker of this host's queue, on a thread of its own; started where there is none yet."""
    with starting:
        folder = host.folders.workspaces
        if folder not in workers:
            workers[folder] = Worker(host)
            threading.Thread(target=workers[folder].serve, name="darkroom queue", daemon=True).start()
        worker = workers[folder]
    worker.wake()
    return worker


def wake(host: Host) -> None:
    """Something was changed in the queue. A program that does not run it needs no waking."""
    if worker := workers.get(host.folders.workspaces):
        worker.wake()
