"""What a job keeps of its events: little, however long it runs and however many jobs there were."""

import gc
import logging
import math
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import small_run

from extension_lib.events import Alarmed, Began, Ended, Event, Measured, Prepared, Previewed, Saved, Stepped, Warned
from extension_lib.runs import job as jobs
from extension_lib.runs.summary import CURVE_POINTS, KEPT_COPIES, Copy, Curve, Spread, Summary, best_copy
from extension_lib.ui.views import job_view
from extension_lib.ui.views.preview_table import preview_table
from extension_lib.workspaces import workspace


def curve(values):
    made = Curve()
    for step, value in enumerate(values, 1):
        made.add(step, value)
    return made.means()


def test_a_short_curve_holds_every_value():
    assert curve([0.5, 0.25, 0.125]) == [(1, 0.5), (2, 0.25), (3, 0.125)]


@pytest.mark.once
@pytest.mark.parametrize("count", [CURVE_POINTS, CURVE_POINTS + 1, 3 * CURVE_POINTS, 10_000])
def test_a_long_curve_holds_the_mean_of_neighbours(count):
    points = curve(float(step) for step in range(1, count + 1))
    assert CURVE_POINTS / 2 <= len(points) <= CURVE_POINTS and points[-1][0] == count
    starts = [1, *(step + 1 for step, _ in points)]
    assert all(mean == (start + step) / 2 for start, (step, mean) in zip(starts, points))


def test_a_value_that_is_no_number_does_not_count():
    values = [1.0] * (CURVE_POINTS - 1) + [math.nan, math.inf]
    assert all(value == 1.0 for _, value in curve(values)[:-1]) and math.isnan(curve(values)[-1][1])


@pytest.mark.parametrize("count", [1, 8, 9, 1000])
def test_a_spread_holds_the_first_and_the_newest_and_little_between(count):
    made = Spread(8)
    for n in range(count):
        made.add(n)
    items = made.items()
    assert (items[0], items[-1], made.count) == (0, count - 1, count) and len(items) <= min(count, 9)
    assert len({b - a for a, b in zip(items, items[1:-1])}) <= 1


def saved(folder, step):
    path = folder / f"ghost-{step:06d}.safetensors"
    path.touch()
    return Saved(step, path)


def copies(folder, *losses, held_out=True):
    return [Copy(step, saved(folder, step), Measured(step, loss, 1.0, held_out)) for step, loss in losses]


def test_the_best_copy_is_the_one_with_the_lowest_loss_on_pictures_held_out(tmp_path):
    assert best_copy(copies(tmp_path, (10, 0.3), (20, 0.2), (30, 0.25))).step == 20


def test_no_copy_is_the_best_where_nothing_was_held_out_or_there_is_no_choice(tmp_path):
    assert best_copy(copies(tmp_path, (10, 0.3), (20, 0.2), held_out=False)) is None
    assert best_copy(copies(tmp_path, (10, 0.3))) is None


def test_of_very_many_copies_the_newest_and_the_best_are_kept(tmp_path):
    summary = Summary()
    for step in range(1, 2 * KEPT_COPIES):
        for event in (Stepped(step, 0.1, 1e-4), Measured(step, abs(step - 5), 1.0, True), saved(tmp_path, step)):
            summary.add(event)
    assert len(summary.copies) == KEPT_COPIES and best_copy(summary.copies).step == 5
    assert [copy.step for copy in summary.copies[1:]] == list(range(KEPT_COPIES + 1, 2 * KEPT_COPIES))


def test_of_too_many_copies_deleted_ones_go_first(tmp_path):
    summary = Summary()
    for step in range(KEPT_COPIES + 1):
        event = saved(tmp_path, step)
        if step != 2:
            event.path.unlink() if step % 2 else None
        summary.add(event)
    assert all(copy.exists for copy in summary.copies) and len(summary.copies) == KEPT_COPIES // 2 + 1


def events_of(steps, folder):
    """As of a run that measures, saves and draws often."""
    copy = saved(folder, 0)
    yield Prepared("Reading", 0.5)
    yield Began(0, steps, 5, 3)
    for step in range(1, steps + 1):
        yield Stepped(step, 1 / step, 1e-4, skipped=step % 7 == 0, class_loss=0.2)
        yield Measured(step, 1 / step, 1.0, True)
        if step % 8 == 0:
            yield from (copy, Previewed(step, ()), Warned(f"warning {step}"),
                        Alarmed(step, "exploding", "It grows.", "Stop."))


def size(value, seen=None):
    """How many objects can be reached from a value, within the package's own classes and containers."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, (type, Path)):
        return 0
    seen.add(id(value))
    parts = (list(value.values()) if isinstance(value, dict)
             else value if hasattr(value, "__iter__") and not isinstance(value, str)
             else vars(value).values() if hasattr(value, "__dict__") else ())
    return 1 + sum(size(part, seen) for part in parts)


def lookups(job, monkeypatch):
    """How many objects a look at the job works on, and how much it shows."""
    looked = []
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: looked.append(path) or exists(path))
    shown = job_view.panel(job) + job_view.short_panel(job) + preview_table(job)
    monkeypatch.undo()
    return size(job.summary), len(shown), len(looked)


def test_a_look_at_a_job_costs_the_same_at_step_8192_as_at_step_1024(tmp_path, monkeypatch):
    job = jobs.Job(small_run(tmp_path, training={"steps": 100_000}), None, None, None)
    costs = {}
    for event in events_of(8192, tmp_path):
        job.keep(event)
        if isinstance(event, Stepped) and event.step in (1024, 8192):
            costs[event.step] = lookups(job, monkeypatch)
    assert job.step == 8192 and len(job.history) == jobs.KEPT_EVENTS
    assert all(late <= 1.2 * early for early, late in zip(costs[1024], costs[8192])), costs


class Host:
    def __init__(self, root):
        self.folders = SimpleNamespace(workspaces=root)

    def show(self, event):
        pass

    def stopping(self):
        return False


class Session:
    """A run without a model."""

    planned = ""

    def __init__(self, folder):
        self.folder = folder

    def events(self):
        yield from events_of(16, self.folder)
        yield Ended(16, "All 16 steps are done.")


def test_a_process_that_trains_a_hundred_runs_keeps_the_memory_of_a_few(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "jobs", [])
    monkeypatch.setattr(jobs.Job, "session", lambda job, log: Session(tmp_path))
    monkeypatch.setattr("extension_lib.workspaces.record.tensorboard_writer", lambda log: None)
    run, threads = small_run(tmp_path), threading.active_count()
    space = workspace.create_workspace(tmp_path / "workspaces", "ghost", run)

    def kept():
        gc.collect()
        counted = (Event, jobs.Job, Session, threading.Thread, SimpleNamespace)
        return sum(isinstance(o, counted) for o in gc.get_objects())

    counts = []
    for number in range(1, 101):
        job = jobs.start_job(run, Host(tmp_path), space, None)
        assert job.wait(60)
        job.thread.join(60)
        if number in (jobs.KEPT_JOBS, 100):
            counts.append(kept())
    assert counts[1] <= counts[0] + 2 and len(jobs.jobs) == jobs.KEPT_JOBS
    assert jobs.jobs[-1] is job and job.record is None
    assert threading.active_count() == threads and len(space.logs()) == 100


def test_a_failed_job_lets_go_of_its_session_at_once(tmp_path, monkeypatch):
    """Not when the garbage collector runs: a session holds the model."""
    class Failing(Session):
        def events(self):
            yield Began(0, 5, 5, 5)
            raise RuntimeError("no picture today")

    sessions = []

    def session(job, log):
        made = Failing(tmp_path)
        sessions.append(weakref.ref(made))
        return made

    monkeypatch.setattr(jobs.Job, "session", session)
    monkeypatch.setattr(logging.getLogger("darkroom"), "disabled", True)  # pytest keeps tracebacks
    run = small_run(tmp_path)
    space = workspace.create_workspace(tmp_path / "workspaces", "ghost", run)
    gc.disable()
    try:
        job = jobs.Job(run, Host(tmp_path), space, None)
        job.work()
        assert job.ended.failed and sessions[0]() is None
    finally:
        gc.enable()
