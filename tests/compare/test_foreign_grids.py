"""A grid that someone else's workspace brings along: it shows what is in its own folder, or says what is wrong."""

import json

import pytest
from PIL import Image

from extension_lib.compare import saved_grids
from extension_lib.compare.saved_grids import NoGrid
from extension_lib.ui.views.grid_view import chosen_picture, grid_html

SCRIPT = "<script>alert(1)</script>"


def cell(file="0000.png", step="2", weight=1.0, prompt="a ghost", seed=1):
    return {"cell": {"step": step, "weight": weight, "prompt": prompt, "seed": seed}, "called": prompt, "file": file}


def grid(root, **changes):
    folder = root / "ghost" / "grids" / "one"
    folder.mkdir(parents=True)
    Image.new("RGB", (8, 8), "red").save(folder / "0000.png")
    values = {"label": "ghost", "weights": [1.0], "steps": ["2"], "prompts": ["a ghost"], "seeds": [1], "best": 0,
              "cells": [cell()], "picture": {"prompt": "", "width": 8, "height": 8}}
    values.update(changes)
    (folder / "grid.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def test_a_whole_one_is_shown(tmp_path):
    kept = saved_grids.read_grid(grid(tmp_path))
    assert "data:image/png" in grid_html(kept) and "data:image/png" in chosen_picture(kept, 0)


@pytest.mark.parametrize("place", ["absolute", "up", "link", "folder", "nothing"])
def test_a_picture_outside_its_folder_is_not_shown(tmp_path, place):
    private = tmp_path / "private.png"
    Image.new("RGB", (8, 8), "blue").save(private)
    files = {"absolute": str(private), "up": "../../../private.png", "link": "link.png", "folder": ".",
             "nothing": "x\0"}
    folder = grid(tmp_path, cells=[cell(files[place])])
    if place == "link":
        try:
            (folder / "link.png").symlink_to(private)
        except OSError:
            pytest.skip("links are not allowed here")
    with pytest.raises(NoGrid, match="has no picture"):
        grid_html(saved_grids.read_grid(folder))


def test_its_texts_are_text(tmp_path):
    kept = saved_grids.read_grid(grid(
        tmp_path, label=SCRIPT, steps=[SCRIPT], prompts=[SCRIPT], cells=[cell(step=SCRIPT, prompt=SCRIPT)],
        picture={"prompt": SCRIPT, "negative": SCRIPT, "sampler": SCRIPT, "width": 64, "height": 64}))
    assert "<script" not in grid_html(kept) + chosen_picture(kept, 0)


@pytest.mark.parametrize("changes", [
    {"seeds": [SCRIPT]}, {"weights": [SCRIPT]}, {"weights": [None]}, {"cells": []}, {"cells": [None]}, {"cells": {}},
    {"cells": None}, {"steps": None}, {"steps": ["2", "3"]}, {"best": SCRIPT}, {"best": 7}, {"best": -5},
    {"picture": []}, {"picture": {}}, {"picture": {"prompt": "", "width": SCRIPT}},
    {"picture": {"prompt": "", "size": 5}},
    {"seeds": list(range(100_000)), "prompts": ["a"] * 100_000}, {"weights": [1e400]}, {"seeds": [10**400]}])
def test_one_with_something_else_in_it_is_named(tmp_path, changes):
    with pytest.raises(NoGrid, match="grid in"):
        saved_grids.read_grid(grid(tmp_path, **changes))


@pytest.mark.parametrize("held", [b"", b"{", b"\xff", b"null", b"[" * 100_000, b"9" * 5000, b'{"a":' * 100_000])
def test_one_that_is_no_json_is_named(tmp_path, held):
    folder = grid(tmp_path)
    (folder / "grid.json").write_bytes(held)
    with pytest.raises(NoGrid, match="There is no grid in"):
        saved_grids.read_grid(folder)


def test_a_damaged_picture_is_named(tmp_path):
    folder = grid(tmp_path)
    (folder / "0000.png").write_bytes(b"no picture")
    with pytest.raises(NoGrid, match="0000.png of the grid one cannot be read"):
        grid_html(saved_grids.read_grid(folder))
