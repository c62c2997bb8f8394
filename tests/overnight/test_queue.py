"""The queue: rows that survive, in an order that a person can change."""

import sqlite3
import time

import pytest
from helpers import small_run

from extension_lib.overnight.expected import expectations
from extension_lib.overnight.queue import FILE, Queue, QueueError
from extension_lib.overnight.row import CANCELLED, DONE, FAILED, HELD, RUNNING, WAITING
from extension_lib.overnight.rules import Rules, checked, read_rules, write_rules
from extension_lib.settings import SettingError
from extension_lib.workspaces.workspace import Workspace

pytestmark = pytest.mark.once

NIGHT = Rules(begin="22:00", end="7:30")


@pytest.fixture
def queue(tmp_path):
    return Queue(tmp_path / "工作" / FILE)


@pytest.fixture
def three(queue, tmp_path):
    return [queue.add(small_run(tmp_path, output={"name": name}), name) for name in ("a", "b", "c")]


def names(queue):
    return [row.name for row in queue.rows()]


def test_what_was_added_is_there_for_the_next_program_with_all_its_settings(queue, tmp_path):
    run = small_run(tmp_path, training={"seed": 5})
    queue.add(run, "ghost")
    row, = Queue(queue.path).rows()
    assert (row.run(), row.state, row.workspace, row.steps) == (run, WAITING, "ghost", 4)


def test_an_empty_queue_leaves_no_file(queue):
    assert queue.rows() == [] and queue.fact("stopped") is None and not queue.path.exists()


def test_a_run_is_put_before_another_or_at_the_end(queue, three):
    queue.move(three[2].id, three[0].id)
    assert names(queue) == ["c", "a", "b"]
    queue.move(three[0].id, None)
    assert names(queue) == ["c", "b", "a"]
    for _ in range(200):  # halves of halves
        queue.move(queue.rows()[2].id, queue.rows()[1].id)
    assert len({row.place for row in queue.rows()}) == 3 and names(queue) == ["c", "b", "a"]


def test_one_that_waits_is_cancelled_or_set_aside_at_once_and_can_wait_again(queue, three):
    assert queue.cancel(three[0].id).state == CANCELLED and queue.hold(three[1].id).state == HELD
    assert names(queue) == ["b", "c", "a"]
    assert queue.again(three[0].id).state == queue.again(three[1].id).state == WAITING
    assert names(queue) == ["b", "c", "a"], "what was cancelled comes last"


def test_of_one_that_runs_it_is_asked(queue, three):
    queue.update(three[0].id, state=RUNNING)
    row = queue.cancel(three[0].id)
    assert (row.state, row.request) == (RUNNING, "cancel") and queue.again(row.id).request == ""


def test_what_is_over_cannot_be_cancelled_and_what_is_not_there_is_named(queue, three):
    queue.update(three[0].id, state=DONE, ended=1.0)
    with pytest.raises(QueueError, match="a is done already"):
        queue.cancel(three[0].id)
    with pytest.raises(QueueError, match="a is done already"):
        queue.again(three[0].id)
    with pytest.raises(QueueError, match="no run 77"):
        queue.hold(77)


def test_what_is_over_can_be_forgotten_and_the_rest_stays(queue, three):
    queue.update(three[0].id, state=DONE, ended=1.0)
    queue.update(three[1].id, state=FAILED, ended=2.0)
    assert names(queue) == ["c", "b", "a"], "what ended last comes first"
    queue.forget_over()
    assert names(queue) == ["c"]


def test_a_damaged_file_and_one_of_a_newer_version_are_said(queue, three):
    with sqlite3.connect(queue.path) as base:
        base.execute("PRAGMA user_version = 99")
    base.close()
    with pytest.raises(QueueError, match="newer version"):
        queue.rows()
    queue.path.write_bytes(b"no database" * 100)
    with pytest.raises(QueueError, match="cannot be used"):
        queue.rows()


@pytest.mark.parametrize(("hour", "allowed"), [(21, False), (22, True), (3, True), (7, True), (8, False)])
def test_hours_go_over_midnight(hour, allowed):
    assert NIGHT.allow(time.struct_time((2026, 1, 1, hour, 0, 0, 0, 1, 0))) is allowed
    assert Rules(begin="8", end="20").allow(time.struct_time((2026, 1, 1, hour, 0, 0, 0, 1, 0))) is (hour == 8)
    assert Rules().allow(time.struct_time((2026, 1, 1, hour, 0, 0, 0, 1, 0)))


@pytest.mark.parametrize("rules", [Rules(begin="22:00"), Rules(begin="ten", end="7"), Rules(begin="25", end="7"),
                                   Rules(begin="22:70", end="7")])
def test_hours_that_are_none_are_refused(queue, rules):
    with pytest.raises(SettingError, match="begin"):
        write_rules(queue, rules)
    assert not queue.path.exists() and checked(NIGHT) == NIGHT


def test_rules_are_kept(queue):
    assert read_rules(queue) == Rules()
    write_rules(queue, NIGHT)
    assert read_rules(queue) == NIGHT


def test_the_expected_end_adds_up_from_runs_of_the_same_kind(queue, three, tmp_path, host_folders):
    other = queue.add(small_run(tmp_path, method={"name": "ia3"}), "other")
    assert [e.seconds for e in expectations(queue.rows(), host_folders)] == [None] * 4
    queue.update(three[0].id, state=DONE, seconds=40.0, ended=5.0)  # 10 seconds a step
    found = expectations(queue.rows(), host_folders)
    assert [e.seconds for e in found] == [40, 40, None, 40]
    assert (found[1].end or 0) - (found[0].end or 0) == pytest.approx(40)
    assert found[2].end is None and found[3].end == 5.0
    queue.move(other.id, three[1].id)
    assert [e.end for e in expectations(queue.rows(), host_folders)][:3] == [None] * 3, "nobody knows what comes first"


def test_the_pace_of_a_run_outside_the_queue_counts_too(queue, three, tmp_path, host_folders):
    space = Workspace(host_folders.workspaces / "past")
    log = space.new_log()
    space.save_run(small_run(tmp_path))
    for step, at in ((1, 100.0), (3, 104.0)):
        log.write_line("step", step=step, loss=0.1, time=at)
    assert expectations(queue.rows(), host_folders)[0].seconds == 8


@pytest.fixture
def host_folders(tmp_path, queue):
    from extension_lib.host import Folders

    return Folders(*(tmp_path / name for name in ("lora", "embeddings", "hypernetworks", "checkpoints")),
                   workspaces=queue.path.parent)
