"""The Model tab without a browser: what its buttons do to workspaces, and what its tiles say."""

import json
import shutil
from types import SimpleNamespace

import gradio as gr
import pytest
from helpers import draw_pictures, write_trained_state
from shown import Shown

from extension_lib.host import Checkpoint
from extension_lib.methods.lora import Lora
from extension_lib.runs import job as jobs
from extension_lib.ui.tabs.model_tab import ModelTab
from extension_lib.ui.views.workspace_tiles import picture_of, tiles
from extension_lib.workspaces import workspace


class Two(Shown):
    """It has two checkpoints."""

    def checkpoints(self):
        return [Checkpoint(name, self.folders.checkpoints / f"{name}.safetensors") for name in ("toyland", "other")]


@pytest.fixture
def tab(tmp_path):
    with gr.Blocks():
        return ModelTab(Two(tmp_path))


@pytest.fixture
def ghost(tab):
    assert tab.create_workspace("ghost", "toyland", "person", "loha")[0] == "ghost"
    return workspace.open_workspace(tab.host.folders.workspaces, "ghost")


def test_a_workspace_is_created_for_its_purpose_and_method(ghost):
    run = ghost.read_run()
    assert (ghost.purpose, run.method.name, run.prior.weight) == ("person", "loha", 0.7)


def test_a_workspace_is_renamed_duplicated_and_deleted_and_the_next_is_shown(tab, ghost):
    assert tab.rename_workspace("ghost", "spirit")[0] == "spirit"
    assert tab.duplicate_workspace("spirit", "twin")[0] == "twin"
    assert sorted(tab.workspace_names()) == ["spirit", "twin"]
    shown, said = tab.delete_workspace("twin")
    assert shown == "spirit" and "trash" in said and tab.deleted_models() == ["twin"]
    assert tab.delete_workspace("spirit")[0] == "" and tab.workspace_names() == []


def test_names_with_braces_are_said_as_they_are(tab):
    tab.create_workspace("{b}", "toyland", "thing", "lora")
    assert "Renamed {b} to {c}." in tab.rename_workspace("{b}", "{c}")[1]
    assert "Moved {c} to the trash" in tab.delete_workspace("{c}")[1]
    assert "{c} was restored." in tab.restore_workspace("{c}")[1]


def test_what_was_deleted_is_brought_back_unless_its_name_is_taken(tab, ghost):
    tab.delete_workspace("ghost")
    assert tab.restore_workspace("ghost")[0] == "ghost" and tab.deleted_models() == []
    assert ghost.read_run().output.name == "ghost"
    tab.delete_workspace("ghost")
    tab.create_workspace("ghost", "toyland", "person", "loha")
    shown, answer = tab.restore_workspace("ghost")
    assert shown is None and "already" in answer and tab.deleted_models() == ["ghost"]


@pytest.mark.parametrize("change, said",
                         [(lambda tab: tab.rename_workspace("ghost", "../x"), "cannot be a file&#39;s name"),
                          (lambda tab: tab.duplicate_workspace("ghost", "ghost"), "already"),
                          (lambda tab: tab.delete_workspace(None), "Create one first"),
                          (lambda tab: tab.change_checkpoint("ghost", "gone"), "no checkpoint"),
                          (lambda tab: tab.restore_workspace(None), "Choose a deleted model")])
def test_what_cannot_be_done_is_said_and_nothing_happens(tab, ghost, change, said):
    shown, answer = change(tab)
    assert shown is None and said in answer and tab.workspace_names() == ["ghost"]


def test_a_workspace_in_training_is_left_alone(tab, ghost, monkeypatch):
    monkeypatch.setattr(jobs, "jobs", [SimpleNamespace(workspace=ghost, ended=None)])
    for change in (tab.rename_workspace("ghost", "x"), tab.duplicate_workspace("ghost", "x"),
                   tab.delete_workspace("ghost")):
        assert change[0] is None and "is being trained" in change[1]
    assert "Training now" in tiles([ghost], "ghost", tab.host.folders)


def test_a_workspace_trains_on_another_checkpoint_from_now_on(tab, ghost):
    assert tab.change_checkpoint("ghost", "other")[0] == "ghost" and ghost.read_run().base.checkpoint == "other"


def test_a_workspace_copied_to_another_machine_has_the_same_settings_lifetime_and_runs(tab, ghost, tmp_path):
    ghost.save_run(ghost.read_run().with_values({"training": {"steps": 77}}))
    write_trained_state(ghost, 30)
    ghost.new_log().write_line("ended", step=30, why="Stopped by you.", failed=False)
    elsewhere = tmp_path / "另一台 machine"
    shutil.copytree(ghost.folder, elsewhere / "ghost")
    shutil.rmtree(ghost.folder)
    copied = workspace.open_workspace(elsewhere, "ghost")
    assert (copied.read_run().training.steps, copied.lifetime, copied.purpose) == (77, 30, "person")
    shown = tiles([copied], None, tab.host.folders)
    assert "30 steps" in shown and "Stopped by you." in shown


def test_a_tile_says_what_it_is_about_and_which_is_chosen(tab, ghost):
    tab.create_workspace("<b>", "toyland", "thing", "lora")  # refused: no file can be called so
    html = tab.describe_workspaces("ghost")
    assert 'data-name="ghost" aria-pressed="true"' in html and "LoHa · Person" in html and "0 steps" in html
    assert "Not trained yet" in html and "darkroom-tile-blank" in html


def test_a_tile_shows_the_newest_preview_else_the_saved_file_s_picture(tab, ghost, tmp_path):
    pictures, folders = draw_pictures(tmp_path / "pictures", 2), tab.host.folders
    first = ghost.new_log()
    saved = folders.lora / "ghost.png"
    folders.lora.mkdir()
    shutil.copy(pictures / "0.png", saved)
    first.write_line("saved", step=5, path=str(saved.with_suffix(".safetensors")))
    assert picture_of(ghost, folders) == saved and "data:image/jpeg" in tiles([ghost], None, folders)
    for step in (10, 5):
        path = first.preview_path(step, 0)
        path.parent.mkdir(exist_ok=True)
        shutil.copy(pictures / "1.png", path)
    assert picture_of(ghost, folders).name == "000010-0.png"


def test_a_workspace_shows_no_picture_from_elsewhere(tab, ghost, tmp_path):
    """It may come from someone else, and its page be seen by others."""
    draw_pictures(tmp_path / "private", 1)
    for path in (str(tmp_path / "private" / "0.safetensors"), "../../../private/0.safetensors", "", "/", 5, None):
        ghost.new_log().write_line("saved", step=5, path=path)
        assert picture_of(ghost, tab.host.folders) is None


def test_a_broken_picture_or_a_broken_file_of_settings_does_not_break_the_tiles(tab, ghost):
    path = ghost.new_log().preview_path(1, 0)
    path.parent.mkdir()
    path.write_bytes(b"no picture")
    assert "darkroom-tile-blank" in tiles([ghost], None, tab.host.folders)
    (ghost.folder / "run.toml").write_text("[", encoding="utf-8")
    assert "not a readable TOML" in tiles([ghost], None, tab.host.folders)
    assert "not a readable TOML" in tab.describe_workspaces("ghost")


@pytest.mark.parametrize("about, said", [(None, "There is no file"), ("[", "not a readable TOML")])
def test_a_damaged_workspace_toml_is_said_on_its_tile_and_below(tab, ghost, about, said):
    path = ghost.folder / "workspace.toml"
    path.unlink() if about is None else path.write_text(about, encoding="utf-8")
    assert said in tiles([ghost], "ghost", tab.host.folders) and said in tab.about_table("ghost")


def test_the_last_lines_of_a_long_log_are_read_from_its_end(ghost):
    log = ghost.new_log()
    for step in range(500):
        log.write_line("step", step=step, loss=0.5, note="幽灵")
    log.write_line("ended", step=500, why="done", failed=False)
    assert log.read_last_lines()[-1]["why"] == "done" and len(log.read_last_lines()) < 200


# ---- import

def test_imported_settings_become_a_workspace_on_a_checkpoint_that_is_here(tab, tmp_path):
    source = {"LoRA_type": "Standard", "train_batch_size": 3, "network_dim": 12,
              "pretrained_model_name_or_path": "/gone.safetensors", "color_aug": True, "output_name": "cat"}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(source), encoding="utf-8")
    made, said = tab.importing.import_settings(f'"{path}"', None, "", "other")
    run = workspace.open_workspace(tab.host.folders.workspaces, "cat").read_run()
    assert isinstance(run.method, Lora)
    assert (made, run.method.rank, run.training.batch_size, run.base.checkpoint) == ("cat", 12, 3, "other")
    assert run.output.name == "cat" and "color_aug" in said and "There is no checkpoint /gone.safetensors here" in said


def test_a_dropped_file_and_a_name_of_one_s_own(tab, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"LoRA_type": "Standard", "train_batch_size": 3}', encoding="utf-8")
    assert tab.importing.import_settings("", SimpleNamespace(name=str(path)), "mine too", "toyland")[0] == "mine too"
    assert tab.importing.import_settings("", str(path), "", "toyland")[0] == "mine"
    assert "already" in tab.importing.import_settings("", str(path), "", "toyland")[1]


@pytest.mark.parametrize("path, said", [("", "Enter the path"), ("/nowhere/x.json", "There is no file")])
def test_an_import_of_nothing_is_said(tab, path, said):
    made, answer = tab.importing.import_settings(path, None, "", "toyland")
    assert made is None and said in answer and tab.workspace_names() == []
