"""Folders that others write to while they are listed: what vanishes in between is not an error."""

import shutil
from pathlib import Path

import pytest

from extension_lib.compare import series
from extension_lib.config import presets
from extension_lib.config.run import from_dict
from extension_lib.data.captions import caption_or_file_name
from extension_lib.data.folder import pictures_in
from extension_lib.host import Folders
from extension_lib.support import disk
from extension_lib.workspaces import past, rearrange, workspace

GONE = "gone"  # a file or folder of this name vanishes as soon as it was listed


@pytest.fixture
def vanishing(monkeypatch):
    """As if another program deleted every file and folder called "gone" right after a listing named it."""
    real_glob, real_walk = Path.glob, disk.os.walk

    def delete(path):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def glob(folder, pattern, **options):
        found = list(real_glob(folder, pattern, **options))
        for path in found:
            for part in (path, *path.parents):
                if part.stem == GONE:
                    delete(part)
        return iter(found)

    def walk(top, **options):
        found = list(real_walk(top, **options))
        for parent, _, names in found:
            for name in names:
                if Path(name).stem == GONE:
                    delete(Path(parent, name))
        return iter(found)

    monkeypatch.setattr(Path, "glob", glob)
    monkeypatch.setattr(disk.os, "walk", walk)


def written(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}", encoding="utf-8")
    return path


def test_a_temporary_file_that_another_writer_renames_does_not_stop_a_save(tmp_path, monkeypatch):
    path = tmp_path / "run.toml"
    monkeypatch.setattr(disk, "matching", lambda folder, pattern: [tmp_path / "run.toml.12345678.part"])
    disk.write_text(path, "whole")
    assert path.read_text(encoding="utf-8") == "whole"


def test_workspaces_and_runs_that_vanish_are_not_listed_as_errors(tmp_path, vanishing):
    ghost = workspace.create_workspace(tmp_path, "ghost", from_dict({}))
    ghost.new_log().write_line("ended", step=1, why="Done.")
    workspace.create_workspace(tmp_path, GONE, from_dict({})).new_log()
    assert "ghost" in workspace.workspace_names(tmp_path)
    assert list(past.logs_by_name(tmp_path)) == ["ghost 0001"]


def test_files_that_vanish_do_not_stop_a_comparison(tmp_path, vanishing):
    here = Folders(*(tmp_path / name for name in ("loras", "embeddings", "hypernetworks", "checkpoints", "workspaces")))
    for name in ("ghost", GONE):
        written(here.lora / f"{name}.safetensors")
    assert series.newest_series(series.find_series(here)).name == "ghost"


def test_pictures_and_captions_that_vanish_are_left_out(tmp_path, vanishing):
    for name in ("ghost", GONE):
        written(tmp_path / f"{name}.png")
    assert [path.name for path in pictures_in(tmp_path)] == ["ghost.png"]
    assert caption_or_file_name(tmp_path / "no caption.png") == "no caption"


@pytest.mark.parametrize("listing", [
    workspace.list_workspaces, past.logs_by_name, rearrange.deleted_workspaces, presets.saved_presets, disk.files_in,
    lambda folder: disk.matching(folder, "*")])
def test_a_folder_that_is_not_there_lists_as_empty(tmp_path, listing):
    assert not listing(tmp_path / "missing")


def test_a_folder_that_vanishes_while_it_is_listed_lists_as_empty(tmp_path, monkeypatch):
    def glob(folder, pattern):
        raise FileNotFoundError(folder)

    monkeypatch.setattr(Path, "glob", glob)
    assert disk.matching(tmp_path, "*") == []
    assert disk.modified_time(tmp_path / "missing") == 0.0 and disk.read_if_there(tmp_path / "missing") is None
