"""Autosaves come at intervals and take a small share of the time."""

import pytest

from extension_lib.training.autosave import BYTES_PER_SECOND, SHARE, AutosaveTimer

pytestmark = pytest.mark.once


class Clock:
    """Time that passes when a test says so."""

    now = 0.0

    def __call__(self):
        return self.now


def autosaves(clock, timer, seconds, cost):
    """The times of all autosaves in so many seconds, looked for at each second."""
    times = []
    while clock.now < seconds:
        clock.now += 1
        if timer.due():
            times.append(clock.now)
            with timer.measured():
                clock.now += cost
    return times


def test_one_comes_after_each_interval():
    clock = Clock()
    assert autosaves(clock, AutosaveTimer(300, 0, clock), 1000, 0) == [300, 600, 900]


def test_an_interval_of_zero_means_never():
    clock = Clock()
    assert autosaves(clock, AutosaveTimer(0, 0, clock), 1000, 0) == []


@pytest.mark.parametrize("cost", [1, 10, 60, 600])
def test_they_take_no_more_than_their_share(cost):
    clock = Clock()
    times = autosaves(clock, AutosaveTimer(60, int(cost * BYTES_PER_SECOND), clock), 100_000, cost)
    assert times and len(times) * cost <= SHARE * clock.now


def test_another_save_begins_the_interval_anew():
    clock = Clock()
    timer = AutosaveTimer(300, 0, clock)
    clock.now = 299
    timer.saved()
    clock.now = 301
    assert not timer.due()
