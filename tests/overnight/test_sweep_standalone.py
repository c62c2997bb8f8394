"""Sweeps: every combination once, a table and a grid at the end, and the chosen one becomes the workspace's."""

from typing import Any

import pytest
from helpers import draw_pictures, quick_run
from PIL import Image
from safetensors.torch import load_file

from extension_lib import __main__ as cli
from extension_lib.commands import studio
from extension_lib.config.run import to_dict
from extension_lib.overnight.outcome import TABLE, Outcome, Result, best_of, read_outcome, sweep_names, use
from extension_lib.overnight.queue import queue_of
from extension_lib.overnight.row import DONE, FAILED
from extension_lib.overnight.sweep import MOST, add_sweep, axes_of, checked, combinations, offered, parse_axis, runs_of
from extension_lib.overnight.worker import Worker
from extension_lib.runs.start import workspace_for
from extension_lib.settings import SettingError
from extension_lib.support.disk import SaveError
from extension_lib.support.toml import write_toml
from extension_lib.ui.views.sweep_view import outcome_html

RATES_RANKS_SEEDS = {"method": {"unet_rate": [1e-3, 2e-3], "rank": [2, 4]}, "training": {"seed": [0, 1]}}
SHORT = {"training": {"steps": 2, "batch_size": 1, "measure_every": 1}, "data": {"held_out": 0.34},
         "previews": {"preview_steps": 1, "prompts": ["a ghost"]}}


@pytest.fixture
def pictures(tmp_path):
    return draw_pictures(tmp_path / "pictures", 3)


def test_every_combination_is_a_run_that_differs_in_these_settings_alone(pictures):
    run = quick_run(pictures)
    runs: list[Any] = [one for _, one in runs_of(run, axes_of(RATES_RANKS_SEEDS))]
    assert len(runs) == 8 == len({(one.method.unet_rate, one.method.rank, one.training.seed) for one in runs})
    assert {run.with_values({"method": {"unet_rate": 1e-3, "rank": 2}})} == {
        one.with_values({"method": {"unet_rate": 1e-3, "rank": 2}, "training": {"seed": 0}}) for one in runs}


def test_another_method_and_other_pictures_can_be_tried_too(pictures, tmp_path):
    axes = axes_of({"concepts": {"folder": [str(pictures), str(tmp_path)]}, "method": {"name": ["lora", "ia3"]}})
    runs = [one for _, one in runs_of(quick_run(pictures), axes)]
    assert [(one.method.name, one.concepts[0].folder) for one in runs] == [
        (name, str(folder)) for name in ("lora", "ia3") for folder in (pictures, tmp_path)]


@pytest.mark.parametrize(("key", "text", "values"), [
    ("method.unet_rate", "1e-4, 2e-4,1e-4", (1e-4, 2e-4)), ("training.seed", "0\n1", (0, 1)),
    ("concepts.folder", "a, b; c", ("a, b", "c")), ("method.name", "lora, ia3", ("lora", "ia3")),
    ("data.flip", "on, off", (True, False)), ("training.schedule", "cosine, constant", ("cosine", "constant"))])
def test_values_are_read_as_they_are_typed(key, text, values):
    assert parse_axis(key, text).values == values


@pytest.mark.parametrize(("values", "said"), [
    ([1], "must be sections"), ({"training": {"seed": 3}}, "must be a list"), ({"training": {"seed": []}}, "must be a"),
    ({"training": {"sed": [1]}}, "training.sed is not a setting"), ({"output": {"name": ["a"]}}, "output.name is not"),
    ({"training": {"seed": ["x"]}}, "training.seed is 'x'"), ({}, "at least one"),
    ({"training": {"seed": [*range(MOST + 1)]}}, "too large"),
    ({"method": {"name": ["lara"]}}, "method.name is 'lara'")])
def test_what_cannot_be_tried_is_said(values, said):
    with pytest.raises(SettingError, match=said):
        axes_of(values)


def test_a_setting_that_one_of_the_methods_lacks_and_one_that_is_named_twice_are_said(pictures):
    with pytest.raises(SettingError, match=r"has no setting method\.rank"):
        runs_of(quick_run(pictures), axes_of({"method": {"rank": [1], "name": ["ia3"]}}))
    with pytest.raises(SettingError, match="twice"):
        checked([parse_axis("training.seed", "1"), parse_axis("training.seed", "2")])


def test_all_that_the_page_offers_can_be_tried():
    labels = [label for label, _ in offered()]
    assert len(labels) == len(set(labels)) > 40 and labels[0] == "Method"
    assert next(combinations([parse_axis("training.seed", "4")])) == {"training.seed": 4}


def test_nothing_is_added_where_one_of_the_runs_could_not_start(host, pictures):
    run = quick_run(pictures)
    with pytest.raises(SettingError, match="class prompt"):
        add_sweep(run, host, workspace_for(run, host), axes_of({"prior": {"penalty": [0, 1]}}))
    assert queue_of(host.folders).rows() == []


def test_a_sweep_ends_in_a_table_and_a_grid_and_the_best_can_be_used(host, pictures):
    run = quick_run(pictures, **SHORT)
    space = workspace_for(run, host)
    rows = add_sweep(run, host, space, axes_of({"method": {"rank": [2, 4]}, "training": {"seed": [0]}}))
    assert [row.name for row in rows] == ["ghost-v2", "ghost-v3"] and {row.sweep for row in rows} == {"ghost-1"}
    Worker(host).run_all()
    outcome = read_outcome("ghost-1", host.folders)
    assert sweep_names(host.folders) == ["ghost-1"] and (outcome.workspace, outcome.problem) == ("ghost", "")
    assert [result.changes["method.rank"] for result in outcome.results] == [2, 4]
    assert all(result.state == DONE and result.loss and result.held_out and result.size and len(result.pictures) == 2
               for result in outcome.results)
    best = min(outcome.results, key=lambda result: result.loss)
    assert outcome.best == best.id
    shown = str(outcome_html(outcome))
    assert shown.count("data:image") == 4 and shown.count(">best<") == 1 and f'data-queue="use {best.id}"' in shown
    first, second = (Image.open(outcome.folder / result.pictures[0]).tobytes() for result in outcome.results)
    assert first != second

    use(outcome, best.id, host)
    ours, chosen = (load_file(host.folders.lora / f"{name}.safetensors") for name in ("ghost", best.name))
    assert ours.keys() == chosen.keys() and to_dict(space.read_run())["method"]["rank"] == best.changes["method.rank"]
    use(outcome, rows[0].id, host)  # its own file may be replaced
    space.logs()[-1].folder.joinpath("events.jsonl").unlink()
    space.logs()[-2].folder.joinpath("events.jsonl").unlink()
    with pytest.raises(SaveError, match="not of the workspace"):
        use(outcome, rows[0].id, host)


def test_the_best_is_said_only_where_runs_compare():
    def result(id, loss, on="a", held_out=True, state=DONE):
        return Result(id, "", "", {}, state, loss=loss, on=on, held_out=held_out)

    assert best_of([result(1, 0.2), result(2, 0.1), result(3, 0.0, state=FAILED)]) == 2
    assert best_of([result(1, 0.2), result(2, 0.1, on="b")]) == -1
    assert best_of([result(1, 0.2), result(2, 0.1, held_out=False)]) == -1


def test_a_table_that_was_damaged_is_none(host):
    folder = host.folders.workspaces / "sweeps" / "ghost-1"
    folder.mkdir(parents=True)
    for text in ("", "{", "[]", '{"name": "a", "results": [{"id": "x"}]}'):
        (folder / TABLE).write_text(text, encoding="utf-8")
        assert read_outcome("ghost-1", host.folders) is None
    assert outcome_html(Outcome("a", "b", ()))


def test_a_toml_file_with_a_sweep_is_added_as_one(host, pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(studio, "HOME", host.folders.workspaces.parent)
    file = tmp_path / "run.toml"
    write_toml(file, {**to_dict(quick_run(pictures)), "sweep": RATES_RANKS_SEEDS})
    assert cli.main(["queue", "add", str(file)]) == 0
    rows = queue_of(host.folders).rows()
    assert len(rows) == 8 and len({row.varied for row in rows}) == 8 and "training.seed 1" in capsys.readouterr().out
    assert cli.main(["train", str(file)]) == 2, "it is for the queue"
    assert cli.main(["queue", "cancel", "1", "2"]) == 0 and cli.main(["queue", "list"]) == 0
    assert capsys.readouterr().out.count("cancelled") == 4
