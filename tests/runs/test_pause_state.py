"""What a pause replaces comes back."""

from pathlib import Path

import pytest
import torch
from helpers import small_run

from extension_lib.runs import state
from extension_lib.runs.pause import FRESH, Progress, restore_state_before_pause, write_pause_state
from extension_lib.workspaces import workspace


@pytest.fixture
def space(tmp_path, pictures):
    made = workspace.create_workspace(tmp_path / "workspaces", "ghost", small_run(pictures))
    state.write_state(made.state, {"step": 1, "trained": {"a": torch.ones(2)}})
    return made


def test_what_was_set_aside_is_put_back_byte_for_byte(space):
    before = space.state.read_bytes()
    progress = Progress(before_pause=write_pause_state(space, {"step": 2, "trained": {"a": torch.zeros(2)}}))
    assert space.state.read_bytes() != before
    restore_state_before_pause(space, progress)
    assert space.state.read_bytes() == before


def test_a_state_that_cannot_take_the_old_one_s_place_leaves_it_there(space, monkeypatch):
    before, replace = space.state.read_bytes(), Path.replace

    def held_open(self, target):
        if self.name == FRESH:
            raise PermissionError("held open")
        return replace(self, target)
    monkeypatch.setattr(Path, "replace", held_open)
    with pytest.raises(PermissionError):
        write_pause_state(space, {"step": 2, "trained": {"a": torch.zeros(2)}})
    assert space.state.read_bytes() == before
