"""Alarms: each is raised by what it is about, once, and a healthy course raises none."""

import math
from pathlib import Path

import pytest
from helpers import small_run

from extension_lib.events import Alarmed, Began, Measured, Saved, Stepped
from extension_lib.training.alarms import with_alarms

pytestmark = pytest.mark.once


def alarms(run, events):
    return [e for e in with_alarms(run, iter(events)) if isinstance(e, Alarmed)]


def course(losses, norms=None, held_out=True, every=25, start=0):
    """What a run tells that measures these losses."""
    norms = norms or [1.0] * len(losses)
    yield Began(start, every * len(losses), 5, 3)
    for n, (loss, norm) in enumerate(zip(losses, norms)):
        yield Stepped(start + every * n, 0.2, 1e-4)
        yield Measured(start + every * n, loss, norm, held_out)


@pytest.fixture
def run(pictures):
    return small_run(pictures, training={"steps": 300})


def kinds(run, *arguments, **options):
    return [a.kind for a in alarms(run, course(*arguments, **options))]


def test_a_healthy_course_raises_none(run):
    assert kinds(run, [0.30, 0.27, 0.25, 0.251, 0.249, 0.25, 0.248], [1, 2, 3, 4, 5, 6, 7]) == []


def test_a_loss_on_held_out_pictures_that_rises_names_the_copy_to_use(run):
    events = [e for m in course([0.3, 0.2, 0.21, 0.22, 0.23]) for e in
              ([m, Saved(m.step, Path(f"ghost-{m.step:06d}.safetensors"))] if isinstance(m, Measured) else [m])]
    alarm, = alarms(run, events)
    assert (alarm.kind, alarm.step) == ("overfitting", 100)
    assert "step 25" in alarm.message and "ghost-000025" in alarm.remedy


def test_a_loss_that_rises_on_pictures_trained_on_is_not_called_copying(run):
    assert kinds(run, [0.3, 0.2, 0.21, 0.22, 0.23], held_out=False) == []


def test_no_effect_is_told_after_a_hundred_steps_and_not_of_a_run_that_goes_on(run):
    assert kinds(run, [0.3, 0.30001, 0.3, 0.29999]) == []
    assert kinds(run, [0.3, 0.30001, 0.3, 0.29999, 0.3]) == ["no effect"]
    assert kinds(run, [0.3] * 6, start=50) == []


def test_what_grows_beyond_measure_is_told_once(run):
    assert kinds(run, [0.3] * 4, [1, 40, 60, 90]) == ["exploding"]
    assert kinds(run, [0.3, 0.2, 0.2, 0.1], [1, 40, 60, 90]) == [], ("a word that began as nothing may grow, as long "
                                                                     "as it learns")
    assert kinds(run, [0.3, 0.3, 0.5, 0.9], held_out=False) == ["exploding"]
    assert kinds(run, [0.3, 0.3, math.nan]) == ["exploding"]


def test_steps_that_overflow_are_told_when_they_do_not_settle(run):
    few = [Stepped(n, 0.2, 1e-4, skipped=n % 8 != 0) for n in range(1, 40)]
    assert alarms(run, few) == []
    assert [a.step for a in alarms(run, [Stepped(n, 0.2, 1e-4, skipped=True) for n in range(1, 20)])] == [8]


def steps_that_take(seconds):
    """A clock, and a run whose steps take so long by it; what happens between them takes an hour."""
    now = [0.0]

    def events():
        for n, each in enumerate(seconds):
            now[0] += each
            yield Stepped(n, 0.2, 1e-4)
            now[0] += 3600
            yield Saved(n, Path("ghost.safetensors"))

    return events(), lambda: now[0]


@pytest.mark.parametrize(("seconds", "full", "raised"), [
    ([1.0] * 30, True, False), ([1.0] * 25 + [3.5] * 4, True, True), ([1.0] * 25 + [3.5] * 4, False, False),
    ([1.0] * 25 + [9.0] * 2 + [1.0] * 5, True, False), ([9.0] * 4 + [1.0] * 30, True, False)])
def test_steps_that_become_three_times_slower_on_a_full_card_are_told(run, monkeypatch, seconds, full, raised):
    monkeypatch.setattr("extension_lib.memory.is_full", lambda: full)
    events, clock = steps_that_take(seconds)
    found = [event for event in with_alarms(run, events, clock) if isinstance(event, Alarmed)]
    assert [event.kind for event in found] == ["spilling"] * raised
    assert not raised or ("3.5 s instead of 1.0 s" in found[0].message and "use less: " in found[0].remedy)
