"""The queue at work: each run begins as Train begins it, and nothing that happens to one stops the next."""

import threading
import time

import pytest
from helpers import draw_pictures, quick_run

from extension_lib.host import Picture
from extension_lib.overnight.adding import add_run, duplicate
from extension_lib.overnight.queue import queue_of
from extension_lib.overnight.row import CANCELLED, DONE, FAILED, HELD, INTERRUPTED, RUNNING, WAITING
from extension_lib.overnight.rules import Rules, write_rules
from extension_lib.overnight.worker import Worker
from extension_lib.runs import job as jobs
from extension_lib.runs.start import Undecided, start_run, workspace_for
from extension_lib.support.locks import Locked, locked
from extension_lib.workspaces.workspace import open_workspace

TWO = {"training": {"steps": 2, "batch_size": 1}}
MANY = {"training": {"steps": 2000, "batch_size": 1}}
NOON, NIGHT = (time.struct_time((2026, 1, 1, hour, 0, 0, 0, 1, 0)) for hour in (12, 0))


@pytest.fixture
def pictures(tmp_path):
    return draw_pictures(tmp_path / "pictures", 2)


@pytest.fixture
def queue(host):
    return queue_of(host.folders)


def added(host, pictures, name="ghost", answer="", **sections):
    run = quick_run(pictures, output={"name": name}, **{**TWO, **sections})
    return add_run(run, host, workspace_for(run, host), answer)


def states(host):
    return {row.name: row.state for row in queue_of(host.folders).rows()}


class AtWork:
    """A worker on a thread of its own, that reacts at once."""

    def __init__(self, host, monkeypatch, **given):
        monkeypatch.setattr("extension_lib.overnight.worker.LOOK", 0.02)
        monkeypatch.setattr("extension_lib.overnight.worker.QUIET", 0.1)
        self.host, self.worker = host, Worker(host, **given)
        self.thread = threading.Thread(target=self.worker.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        self.worker.close()
        if job := jobs.running_job():
            job.stop()
        self.thread.join(60)

    def until(self, true, what=""):
        end = time.monotonic() + 60
        while not (found := true()):
            assert time.monotonic() < end, (what, states(self.host))
            time.sleep(0.02)
        return found

    def until_state(self, name, state):
        self.until(lambda: states(self.host).get(name) == state, f"{name} {state}")

    def until_step(self, step=1):
        return self.until(lambda: (job := jobs.running_job()) and job.step >= step and job, "a step")


def test_runs_are_done_in_their_order_and_one_that_fails_stops_no_other(host, pictures, tmp_path, queue):
    added(host, pictures, "one")
    added(host, tmp_path / "gone", "two")
    last = added(host, pictures, "three")
    queue.move(last.id, queue.rows()[0].id)
    told = []
    Worker(host).run_all(lambda row: told.append((row.name, row.state)))
    assert told == [("three", RUNNING), ("three", DONE), ("one", RUNNING), ("one", DONE), ("two", RUNNING),
                    ("two", FAILED)]
    row = next(row for row in queue.rows() if row.name == "two")
    assert "gone" in row.reason and row.seconds > 0
    assert sorted(path.stem for path in host.folders.lora.glob("*.safetensors")) == ["one", "three"]


def test_two_runs_never_share_a_name_or_a_workspace(host, pictures):
    rows = [added(host, pictures), added(host, pictures)]
    rows.append(duplicate(rows[0], host))
    assert [(row.name, row.workspace) for row in rows] == [(name, name) for name in ("ghost", "ghost-v2", "ghost-v3")]
    assert [row.name for row in queue_of(host.folders).rows()] == ["ghost", "ghost-v3", "ghost-v2"]
    Worker(host).run_all()
    assert set(states(host).values()) == {DONE}


def test_what_was_trained_before_is_asked_when_it_is_added_and_never_at_night(host, pictures, queue):
    run = quick_run(pictures, **TWO)
    space = workspace_for(run, host)
    later = added(host, pictures)
    start_run(run, host, space).wait(60)
    jobs.jobs[-1].thread.join()
    Worker(host).run_all()
    assert queue.row(later.id).name == "ghost-v2" and space.lifetime == 2, "someone pressed Train meanwhile"
    with pytest.raises(Undecided):
        added(host, pictures)
    added(host, pictures, answer="continue-overwrite")
    added(host, pictures, answer="restart-version")
    Worker(host).run_all()
    assert space.lifetime == 4 and set(states(host)) == {"ghost", "ghost-v2", "ghost-v3"}


def test_one_that_is_set_aside_goes_on_from_there(host, pictures, queue, monkeypatch):
    row = added(host, pictures, **MANY)
    with AtWork(host, monkeypatch) as at:
        at.until_step()
        queue.hold(row.id)
        at.until_state("ghost", HELD)
        kept = open_workspace(host.folders.workspaces, "ghost").newest_state()
        added(host, pictures, "next")
        at.until_state("next", DONE)
        queue.again(row.id)
        assert at.until_step(kept.step).step >= kept.step > 0
        queue.cancel(row.id)
        at.until_state("ghost", CANCELLED)
    assert not list(host.folders.lora.glob("ghost*")), "what was cancelled leaves no file"


@pytest.mark.parametrize(("after", "state", "next_one"), [("ask", INTERRUPTED, WAITING), ("go on", DONE, DONE),
                                                         ("wait", HELD, DONE)])
def test_after_a_restart_the_owner_s_rule_decides(host, pictures, queue, monkeypatch, after, state, next_one):
    row = added(host, pictures)
    added(host, pictures, "next")
    write_rules(queue, Rules(after_restart=after))
    queue.update(row.id, state=RUNNING, number=0)  # as its program left it
    with AtWork(host, monkeypatch) as at:
        at.until(lambda: states(host) == {"ghost": state, "next": next_one}, after)
        if after == "ask":
            queue.again(row.id)
            at.until(lambda: set(states(host).values()) == {DONE})
    assert open_workspace(host.folders.workspaces, "ghost").lifetime == (0 if after == "wait" else 2)


def test_a_run_that_was_done_before_the_kill_is_not_trained_again(host, pictures, queue):
    row = added(host, pictures)
    Worker(host).run_all()
    queue.update(row.id, state=RUNNING)  # killed before it could write down that it was done
    Worker(host, permitted=True).run_all()
    space = open_workspace(host.folders.workspaces, "ghost")
    assert states(host) == {"ghost": DONE} and space.lifetime == 2 and len(space.logs()) == 1


def test_outside_its_hours_nothing_begins_and_what_runs_is_kept(host, pictures, queue, monkeypatch):
    write_rules(queue, Rules(begin="22:00", end="7:00"))
    added(host, pictures, **MANY)
    hour = [NOON]
    with AtWork(host, monkeypatch, clock=lambda: hour[0]) as at:
        time.sleep(0.2)
        assert states(host) == {"ghost": WAITING}
        hour[0] = NIGHT
        at.until_step()
        hour[0] = NOON
        at.until_state("ghost", WAITING)
    assert open_workspace(host.folders.workspaces, "ghost").newest_state().step > 0


def test_a_queue_that_is_stopped_begins_nothing(host, pictures, queue, monkeypatch):
    queue.note(stopped=True)
    added(host, pictures)
    with AtWork(host, monkeypatch) as at:
        time.sleep(0.2)
        assert states(host) == {"ghost": WAITING}
        queue.note(stopped=False)
        at.until_state("ghost", DONE)


def test_after_a_picture_it_waits_for_quiet(host, pictures, queue, monkeypatch):
    write_rules(queue, Rules(quiet_minutes=0.01))
    added(host, pictures)
    with AtWork(host, monkeypatch) as at:
        with host.asking():
            time.sleep(0.8)
            assert states(host) == {"ghost": WAITING}
        began = time.monotonic()
        at.until(lambda: states(host)["ghost"] != WAITING)
        assert time.monotonic() - began >= 0.5
        at.until_state("ghost", DONE)


@pytest.mark.parametrize("give_way", [True, False])
def test_a_picture_that_someone_waits_for_is_drawn_between_steps_where_the_owner_wishes_it(host, pictures, queue,
                                                                                         monkeypatch, give_way):
    write_rules(queue, Rules(give_way=give_way))
    picture = Picture("a ghost", steps=1, width=64, height=64)
    untouched = host.draw([picture])[0].tobytes()
    row, drawn = added(host, pictures, **MANY), []
    with AtWork(host, monkeypatch) as at:
        step = at.until_step().step
        asking = threading.Thread(target=lambda: drawn.extend(host.draw([picture])))
        asking.start()
        asking.join(60 if give_way else 0.5)
        assert bool(drawn) is give_way
        if give_way:
            assert drawn[0].tobytes() == untouched
            at.until_step(step + 1)
        queue.cancel(row.id)
        asking.join(60)


def test_of_two_programs_one_runs_the_queue(host, pictures):
    added(host, pictures)
    with locked(host.folders.workspaces / "queue.lock", "It"), pytest.raises(Locked, match="The queue is in use"):
        Worker(host).run_all()
    assert states(host) == {"ghost": WAITING}
