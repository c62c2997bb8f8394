"""Grids of every kind of file, kept in a workspace, and what choosing the best cell does."""

import json
from dataclasses import replace

import numpy as np
import pytest
from eager import EAGER
from helpers import draw_pictures, small_run
from kohya import lora_for
from PIL import Image

from extension_lib.compare import best, saved_grids
from extension_lib.compare.grid import GridPlan
from extension_lib.compare.saved_grids import NoGrid
from extension_lib.compare.series import LAST, find_series
from extension_lib.families.sdxl import SDXL
from extension_lib.host import Checkpoint, Picture, find_checkpoint
from extension_lib.hosts.standalone import Standalone
from extension_lib.runs import job as jobs
from extension_lib.workspaces import workspace

LABELS = {"lora": "ghost", "lokr": "ghost", "hypernetwork": "ghost (hypernetwork)", "textual_inversion": "zwx "
          "(embedding)",
          "pivotal": "ghost"}
PICTURE = Picture("", negative="a cat", steps=4, cfg=4.0, width=64, height=64)


def trained(root, method):
    host = Standalone(root / "工作 place")
    run = small_run(draw_pictures(root / "pictures"), method={"name": method,
                                                              **EAGER[method]}, saving={"save_every": 2},
                    concepts=[{"folder": str(root / "pictures"), "word": "zwx", "instance_prompt": "a zwx ghost"}])
    run = run.with_values({"output": {"name": "zwx" if method == "textual_inversion" else "ghost"}})
    space = workspace.create_workspace(host.folders.workspaces, "ghost", run)
    ended = jobs.start_job(run, host, space, find_checkpoint(host, "toyland")).wait(120)
    assert ended and not ended.failed, ended
    return host


def plan(host, label, **changes):
    series = next(one for one in find_series(host.folders) if one.label == label)
    values = {
        "weights": (0.0, 0.5, 1.0), "prompts": ("a zwx ghost", "a zwx ghost at night"), "seeds": (1, 2),
        "picture": PICTURE
    }
    return GridPlan(series, **{**values, **changes})


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("a b"), "lora")


@pytest.fixture
def grid(host):
    *_, (share, made) = saved_grids.draw_saved_grid(plan(host, "ghost", prompts=("a zwx ghost",), seeds=(3,)), host,
                                     host.folders.workspaces / "ghost")
    assert share == 1
    return made


def cell_of(grid, step, weight):
    return next(n for n, at in enumerate(grid.cells) if (at.cell.step, at.cell.weight) == (step, weight))


@pytest.mark.parametrize("method", LABELS)
def test_cells_equal_single_pictures_and_differ_from_the_base_for_every_kind_of_file(tmp_path, method):
    host = trained(tmp_path, method)
    made = plan(host, LABELS[method], weights=(0.0, 1.0), seeds=(1,), picture=replace(PICTURE, steps=2))
    *_, (_, grid) = saved_grids.draw_saved_grid(made, host, host.folders.workspaces / "ghost")
    assert grid.steps == ("2", LAST)
    for n, at in list(enumerate(grid.cells))[::3]:
        single = np.asarray(host.draw([made.picture_of(at.cell)])[0]).astype(int)
        assert np.abs(np.asarray(grid.open(n)).astype(int) - single).max() <= 2
    base, full = (np.asarray(grid.open(cell_of(grid, LAST, weight))).astype(int) for weight in (0.0, 1.0))
    assert (base != full).any()


def test_a_grid_of_an_sdxl_lora_is_drawn_with_it_by_weights(tmp_path, tiny):
    host = Standalone(tmp_path)
    host.load(Checkpoint("tiny-xl", tiny("tiny-xl")))
    host.folders.lora.mkdir()
    lora_for(tiny("tiny-xl"), SDXL, host.folders.lora / "ghost.safetensors")
    made = plan(host, "ghost", prompts=("a ghost",), seeds=(1,), picture=replace(PICTURE, steps=1))
    *_, (_, grid) = saved_grids.draw_saved_grid(made, host, tmp_path)
    drawn = [np.asarray(grid.open(n)) for n in range(len(grid.cells))]
    assert len({picture.tobytes() for picture in drawn}) == len(made.weights)
    assert "Model: tiny-xl" in Image.open(grid.folder / grid.cells[-1].file).info["parameters"]


def test_every_cell_and_the_sheet_say_how_they_were_drawn_as_the_webui_writes_it(grid):
    at = grid.at(cell_of(grid, "2", 0.5))
    text = Image.open(grid.folder / at.file).info["parameters"]
    assert text == ("a zwx ghost <lora:ghost-000002:0.5>\nNegative prompt: a cat\n"
                    "Steps: 4, Sampler: Euler, CFG scale: 4, Seed: 3, Size: 64x64, Model: toyland")
    whole = Image.open(grid.folder / saved_grids.SHEET).info["parameters"]
    assert 'X Type: [Darkroom] weight, X Values: "0, 0.5, 1", Y Type: [Darkroom] training step' in whole


def test_a_grid_is_kept_whole_and_listed(host, grid):
    assert saved_grids.read_grid(grid.folder) == grid
    assert grid.folder.name == saved_grids.grid_names(host.folders.workspaces / "ghost")[0]


def test_the_best_cell_becomes_its_file_s_card_and_can_be_put_back(host, grid):
    card, picture = host.folders.lora / "ghost-000002.json", host.folders.lora / "ghost-000002.png"
    before = card.read_text(encoding="utf-8"), picture.exists()
    number = cell_of(grid, "2", 0.5)
    chosen_, made = best.choose_best(grid, number, host.folders)
    said = json.loads(card.read_text(encoding="utf-8"))
    assert (said["preferred weight"], said["activation text"], said["sd version"]) == (0.5, "a zwx ghost", "SD1")
    assert made.weight == 0.5 and np.array_equal(np.asarray(Image.open(picture)), np.asarray(grid.open(number)))
    assert saved_grids.read_grid(grid.folder).best == number
    best.restore_cards(chosen_, host.folders)
    assert (card.read_text(encoding="utf-8"), picture.exists()) == before
    assert saved_grids.read_grid(grid.folder).best == -1


def test_the_base_has_no_card_and_a_cell_that_is_not_there_is_named(host, grid):
    assert best.choose_best(grid, cell_of(grid, "2", 0.0), host.folders)[1] is None
    with pytest.raises(NoGrid, match="no picture 99"):
        best.choose_best(grid, 99, host.folders)
    with pytest.raises(NoGrid, match="no grid"):
        saved_grids.read_grid(grid.folder / "none")


def test_a_cancelled_grid_keeps_what_was_drawn(host):
    answers = iter([False, True])
    *_, (share, grid) = saved_grids.draw_saved_grid(plan(host, "ghost"), host, host.folders.workspaces / "ghost",
                                            lambda: next(answers))
    assert 0 < share < 1 and saved_grids.read_grid(grid.folder) == grid
    drawn = [at for at in grid.cells if at.file]
    assert 0 < len(drawn) < len(grid.cells) and (grid.folder / saved_grids.SHEET).exists()
