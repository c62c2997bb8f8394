"""Workspaces: created, renamed, duplicated, thrown away; nothing is overwritten."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers import write_trained_state

from extension_lib.config.run import from_dict
from extension_lib.support import disk
from extension_lib.support.disk import NameProblem
from extension_lib.workspaces import rearrange, workspace
from extension_lib.workspaces.workspace import WorkspaceError


@pytest.fixture
def ghost(tmp_path):
    """A workspace that was trained once."""
    run = from_dict({"output": {"name": "ghost"}, "training": {"steps": 7}})
    made = workspace.create_workspace(tmp_path, "ghost", run, "person")
    write_trained_state(made, 7)
    made.new_log().write_line("ended", step=7, why="All 7 steps are done")
    return made


def names(root):
    return sorted(workspace.workspace_names(root))


def test_a_workspace_remembers_what_it_is_for(ghost, tmp_path):
    assert ghost.purpose == "person"
    assert workspace.create_workspace(tmp_path, "old", from_dict({})).purpose == ""


def test_renaming_takes_everything_along(ghost, tmp_path):
    renamed = rearrange.rename(ghost, "spirit 幽灵")
    assert names(tmp_path) == ["spirit 幽灵"]
    assert (renamed.lifetime, len(renamed.logs())) == (7, 1)
    assert renamed.read_run().output.name == "spirit 幽灵" and renamed.read_run().training.steps == 7


def test_a_name_chosen_for_the_results_survives_renaming(ghost):
    ghost.save_run(ghost.read_run().with_values({"output": {"name": "ghost-v2"}}))
    assert rearrange.rename(ghost, "spirit").read_run().output.name == "ghost-v2"


def test_a_duplicate_goes_on_from_the_same_state_without_the_record_of_runs(ghost, tmp_path):
    twin = rearrange.duplicate(ghost, "twin")
    assert names(tmp_path) == ["ghost", "twin"]
    assert (twin.lifetime, twin.logs(), twin.purpose) == (7, [], "person")
    assert twin.read_run() == ghost.read_run().with_values({"output": {"name": "twin"}})
    twin.state.unlink()
    assert ghost.lifetime == 7 and ghost.state.exists()


def test_a_duplicate_that_finds_no_room_leaves_nothing(ghost, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk.shutil, "copyfile", full)
    with pytest.raises(OSError, match="the disk is full"):
        rearrange.duplicate(ghost, "twin")
    assert not (tmp_path / "twin").exists() and names(tmp_path) == ["ghost"]


def test_the_trash_keeps_all_that_was_thrown_away(ghost, tmp_path):
    before = ghost.state.read_bytes()
    first = rearrange.move_to_trash(ghost)
    second = rearrange.move_to_trash(workspace.create_workspace(tmp_path, "ghost", from_dict({})))
    assert [p.name for p in (first, second)] == ["ghost", "ghost-2"] and names(tmp_path) == []
    assert (first / "state.safetensors").read_bytes() == before


@pytest.mark.parametrize("name, error, said", [
    ("", NameProblem, "is empty"), ("../ghost", NameProblem, "cannot be a file's name"),
    ("CON", NameProblem, "on Windows"),
    ("other", WorkspaceError, "There is a workspace other already"),
    ("Trash", WorkspaceError, "reserved for one of Darkroom's")])
@pytest.mark.parametrize("change", [rearrange.rename, rearrange.duplicate])
def test_a_name_that_cannot_be_is_refused_and_nothing_happens(ghost, tmp_path, change, name, error, said):
    workspace.create_workspace(tmp_path, "other", from_dict({}))
    with pytest.raises(error, match=said):
        change(ghost, name)
    assert names(tmp_path) == ["ghost", "other"] and ghost.read_run().output.name == "ghost"


def test_a_folder_that_cannot_be_moved_is_named(ghost, tmp_path, monkeypatch):
    def held(self, target):
        raise PermissionError(13, "Access is denied")

    monkeypatch.setattr(type(ghost.folder), "rename", held)
    with pytest.raises(WorkspaceError, match="Access is denied. Close the programs that have its files open"):
        rearrange.move_to_trash(ghost)


def dropped(space):
    """The workspace with a picture that was dropped on its page."""
    folder = space.folder / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"a picture")
    space.save_run(space.read_run().with_values({"concepts": [{"folder": str(folder), "class_folder": "/elsewhere"}]}))
    return space


def test_dropped_pictures_follow_their_workspace_wherever_it_goes(ghost, tmp_path):
    renamed = rearrange.rename(dropped(ghost), "spirit")
    assert renamed.read_run().concepts[0].folder == str(renamed.folder / "pictures")
    copied = shutil.copytree(renamed.folder, tmp_path / "another machine" / "spirit")
    assert workspace.Workspace(copied).read_run().concepts[0].folder == str(copied / "pictures")
    assert renamed.read_run().concepts[0].class_folder == "/elsewhere"


def test_a_duplicate_has_its_own_copy_of_dropped_pictures(ghost):
    twin = rearrange.duplicate(dropped(ghost), "twin")
    rearrange.move_to_trash(ghost)
    assert twin.read_run().concepts[0].folder == str(twin.folder / "pictures")
    assert (twin.folder / "pictures" / "a.png").read_bytes() == b"a picture"


def test_two_writers_of_one_file_leave_one_of_both_whole(tmp_path):
    path, texts = tmp_path / "run.toml", ("a" * 100_000, "b" * 90_000)

    def write(text):
        for _ in range(50):
            disk.write_text(path, text)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, texts))
    assert path.read_text(encoding="utf-8") in texts and [p.name for p in tmp_path.iterdir()] == ["run.toml"]


def test_what_a_killed_program_left_half_written_is_taken_away_later(tmp_path):
    left, fresh = tmp_path / "a.toml.12345678.part", tmp_path / "a.toml.87654321.part"
    for path in (left, fresh):
        path.write_bytes(b"half")
    os.utime(left, (0, 0))
    disk.write_text(tmp_path / "a.toml", "whole")
    assert not left.exists() and fresh.exists(), "someone may be writing the fresh one"
