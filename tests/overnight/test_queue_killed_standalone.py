"""A queue whose program is killed again and again; benchmarks/overnight.py does it with 100 runs and 30 kills."""

import os
import random

import pytest

from benchmarks.overnight import Trial

pytestmark = [pytest.mark.once, pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")]


def test_however_often_it_is_killed_each_run_is_done_once_as_if_alone_or_has_failed_with_its_reason(tmp_path):
    trial = Trial(tmp_path, random.Random(3), kinds=("lora",))
    trial.fill(6)
    assert {*trial.expected.values()} & {"no folder", "no pictures", "no checkpoint"}
    assert trial.kill(2, 0.8) == 2
    assert list(trial.faults()) == []
