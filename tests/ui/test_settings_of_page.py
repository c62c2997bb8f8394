"""Presets, the way back and TOML on the page, without a browser."""

import html
import json
import re
import shutil

import gradio as gr
import pytest
from helpers import draw_pictures, write_trained_state
from shown import Shown

from extension_lib.config import presets
from extension_lib.config.run import from_dict, to_dict
from extension_lib.host import Checkpoint
from extension_lib.methods.lora import Lora
from extension_lib.settings import SettingError
from extension_lib.setup.practice import BASE
from extension_lib.ui.page import Page
from extension_lib.ui.panels.changed_settings import reset_updates, starting_values
from extension_lib.workspaces import workspace


class Two(Shown):
    """It has the practice model and another."""

    def checkpoints(self):
        return [Checkpoint("plain", self.folders.checkpoints / "plain.safetensors"), Checkpoint("toyland", BASE)]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with gr.Blocks():
        return Page(Two(tmp_path_factory.mktemp("webui")))


@pytest.fixture
def space(page):
    page.layout.model.create_workspace("ghost", "plain", "thing", "lora")
    made = workspace.open_workspace(page.layout.host.folders.workspaces, "ghost")
    made.save_run(made.read_run().with_values({"concepts": [{"folder": "pictures"}]}))
    yield made
    shutil.rmtree(page.layout.host.folders.workspaces)


def data_of(page, run):
    """What Gradio would hand over when the page shows this run."""
    shown = page.layout.run_updates(run, run)
    data = {component: update["value"] if isinstance(update, dict) else update for component, update in shown.items()
            if not isinstance(update, dict) or "value" in update}
    own = {component: component.value for component in page.layout.train.form.all_components() if component not in data}
    return {**own, **data, page.layout.model.workspace: "ghost"}


def run_of(page, updates, run):
    """The run that the page shows after these updates."""
    return page.layout.run_of(
        {
            **data_of(page, run), **{
                component: update["value"]
                for component, update in updates.items() if isinstance(update, dict) and "value" in update
            }
        }, "plain")


def said(page, updates):
    return updates[page.layout.train.presets.answer]


def test_a_purpose_changes_the_settings_and_is_the_workspace_s_from_then_on(page, space):
    data = {**data_of(page, space.read_run()), page.layout.train.presets.choice: "Style"}
    updates = page.settings_events.apply_preset(data)
    after = run_of(page, updates, space.read_run())
    assert (after.training.steps, after.method.rank, space.purpose) == (3000, 32, "style")
    assert "Style: " in said(page, updates) and "LoRA · Style" in updates[page.layout.model.about]
    assert "start" in updates[page.layout.train.changed.starts] and changed_in(
        updates[page.layout.train.changed.starts]) == []


def test_a_card_changes_what_memory_needs(page, space):
    data = {**data_of(page, space.read_run()), page.layout.train.presets.choice: "Graphics card with 8 GB"}
    updates = page.settings_events.apply_preset(data)
    after = run_of(page, updates, space.read_run()).training
    assert (after.batch_size, after.checkpointing, space.purpose) == (2, False, "thing")
    assert changed_in(updates[page.layout.train.changed.starts]) == ["darkroom_training_checkpointing"]


def test_a_preset_of_one_s_own_is_saved_and_applied_to_another_method(page, space):
    mine = space.read_run().with_values({"method": {"name": "loha", "rank": 3}, "training": {"steps": 5}})
    answer, choice, emptied = page.settings_events.save_preset(
        {**data_of(page, mine), page.layout.train.presets.name: "快 quick"})
    assert "Saved as 快 quick.toml" in answer and choice["value"] == "My 快 quick" and emptied["value"] == ""
    updates = page.settings_events.apply_preset(
        {**data_of(page, space.read_run()), page.layout.train.presets.choice: choice["value"]})
    assert updates[page.layout.train.method]["value"] == "loha"
    assert updates[page.layout.train.form.components["training", "steps"]]["value"] == 5
    assert updates[page.layout.train.form.method_components["loha", "rank"]]["value"] == 3


def test_a_preset_of_one_s_own_is_deleted_and_others_are_not(page, space):
    row = page.layout.train.presets
    presets.save_preset(row.folder, "old", space.read_run())
    said, choice = page.settings_events.delete_preset("My old")
    assert "Moved to the trash" in said and "My old" not in choice["choices"] and (row.folder / presets.DELETED
                                                                        / "old.toml").exists()
    assert "Only your own" in page.settings_events.delete_preset(
        "Style")[0] and "preset old no longer exists" in page.settings_events.delete_preset("My old")[0]


@pytest.mark.parametrize("title, words", [(None, "Choose a preset"), ("My gone", "There is no file")])
def test_a_preset_that_is_none_is_said(page, space, title, words):
    assert words in said(
        page,
        page.settings_events.apply_preset({**data_of(page, space.read_run()), page.layout.train.presets.choice: title}))


def test_saving_a_preset_without_a_name_is_said(page, space):
    assert "is empty" in page.settings_events.save_preset(
        {**data_of(page, space.read_run()), page.layout.train.presets.name: ""})[0]


def test_a_preset_called_as_a_file_of_settings_is_no_workspace(page, space):
    presets.save_preset(page.layout.train.presets.folder, "run", space.read_run())
    assert page.layout.model.workspace_names() == ["ghost"]


# ---- the way back

def told(text):
    return json.loads(html.unescape(re.search('data-starts="(.*?)"', text)[1]))


def changed_in(text):
    return sorted(name for name, setting in told(text).items()
                  if "start" in setting and setting["now"] != setting["start"])


@pytest.mark.parametrize("method", ["lora", "textual_inversion", "hypernetwork"])
def test_the_page_is_told_what_every_setting_began_as(page, method):
    start = presets.defaults(method)
    run = start.with_values({"data": {"flip": True}, "previews": {"prompts": ["a"]}, "output": {"name": "ghost"}})
    text = starting_values(page.layout.train.form, run, start)
    assert changed_in(text) == ["darkroom_data_flip"]
    alone = {name for name, setting in told(text).items() if "start" not in setting}
    assert alone == {"darkroom_output_name", "darkroom_base_prediction", "darkroom_previews_prompts"}


def test_one_setting_goes_back_or_all_but_what_is_the_workspace_s_own(page):
    form, start = page.layout.train.form, presets.defaults("lora")
    rank, flip = form.method_components["lora", "rank"], form.components["data", "flip"]
    assert set(reset_updates(form, start, rank.elem_id)) == {rank}
    everything = reset_updates(form, start, "")
    assert {rank, flip} <= set(everything) and form.components["output", "name"] not in everything
    assert isinstance(start.method, Lora) and everything[rank]["value"] == start.method.rank


def test_the_way_back_leads_to_the_checkpoint_s_preset_and_does_not_mind_what_else_is_wrong(page, space):
    page.layout.model.change_checkpoint("ghost", "toyland")
    steps = page.layout.train.form.components["training", "steps"]
    data = {**data_of(page, space.read_run()), steps: None, page.layout.train.changed.reset_ids: steps.elem_id}
    assert page.settings_events.reset(data)[steps]["value"] == 400


def test_the_steps_per_epoch_are_reckoned_anew_on_the_way_back(page, space, tmp_path):
    steps = page.layout.train.form.components["training", "steps"]
    run = space.read_run().with_values({"concepts": [{"folder": str(draw_pictures(tmp_path / "pictures"))}]})
    data = {**data_of(page, run), steps: 7, page.layout.train.changed.reset_ids: steps.elem_id}
    assert "; 7 steps = " in page.layout.steps_text(data)
    updates = page.settings_events.reset(data)
    assert f"; {updates[steps]['value']} steps = " in updates[page.layout.train.arithmetic]


# ---- text

def test_a_run_written_down_and_pasted_back_is_the_same(page, space):
    run = space.read_run().with_values(
        {"method": {"name": "locon", "rank": 7}, "concepts": [{"folder": "a"}, {"folder": "b"}]})
    text, said = page.settings_events.write_text(data_of(page, run))
    assert said == "" and "locon" in text
    page.settings_events.apply_text({**data_of(page, space.read_run()), page.layout.train.text.text: text})
    assert space.read_run().with_values({"concepts": []}) == run.with_values({"concepts": []})


def test_what_is_pasted_changes_only_what_it_says(page, space):
    run = space.read_run().with_values({"data": {"flip": True}, "previews": {"prompts": ["zwx"]}})
    text = 'training.steps = 9\n[method]\nname = "ia3"'
    updates = page.settings_events.apply_text({**data_of(page, run), page.layout.train.text.text: text})
    after = space.read_run()
    # as that method begins
    assert (after.training.steps, after.method.name, after.saving.precision) == (9, "ia3", "fp32")
    assert (after.previews.prompts, after.output.name, after.base.checkpoint) == (("zwx",), "ghost", "plain")
    assert "Applied" in updates[page.layout.train.text.answer] and updates[page.layout.train.method]["value"] == "ia3"


def test_a_checkpoint_that_is_not_here_stays_as_it_was(page, space):
    updates = page.settings_events.apply_text(
        {**data_of(page, space.read_run()), page.layout.train.text.text: 'base.checkpoint = "gone"'})
    assert "no checkpoint gone here, so plain is kept" in updates[
        page.layout.train.text.answer] and space.read_run().base.checkpoint == "plain"
    page.settings_events.apply_text(
        {**data_of(page, space.read_run()), page.layout.train.text.text: 'base.checkpoint = '
         '"toyland"'})
    assert space.read_run().base.checkpoint == "toyland"


@pytest.mark.parametrize("text, words", [("[", "not a readable TOML"), ("training.speed = 1", "is not a setting"),
                                         ("method = 3", "must be a section"), ('method.name = "x"', "must be one of"),
                                         ("training.steps = 0", "at least 1")])
def test_what_cannot_be_applied_is_said_and_changes_nothing(page, space, text, words):
    before = to_dict(space.read_run())
    updates = page.settings_events.apply_text({**data_of(page, space.read_run()), page.layout.train.text.text: text})
    assert words in updates[page.layout.train.text.answer] and len(updates) == 1 and space.read_run() == from_dict(
        before)


def test_another_method_keeps_what_is_the_workspace_s_own(page, space):
    space.save_run(space.read_run().with_values({"previews": {"prompts": ["zwx"]}}))
    updates = page.train_events.change_method({**data_of(page, space.read_run()), page.layout.train.method: "ia3"})
    assert updates[page.layout.train.form.components["previews", "prompts"]]["value"] == "zwx"
    assert changed_in(updates[page.layout.train.changed.starts]) == []


def test_a_workspace_is_shown_also_when_its_pictures_or_the_checkpoint_s_preset_cannot_be(page, space, monkeypatch):
    """Else the page would show another's settings under its name, and the next button would keep them."""
    space.save_run(space.read_run().with_values({"training": {"steps": 222}, "concepts": [{"folder": "x" * 300}]}))
    for broken in (False, True):
        if broken:
            monkeypatch.setattr("extension_lib.ui.events.workspace_events.starting_run", raises)
        updates = page.workspace_events.show_workspace("ghost")
        assert updates[page.layout.train.form.components["training", "steps"]]["value"] == 222
        assert ("no preset" in updates[page.layout.model.about]) is broken


def raises(*_):
    raise SettingError("There is no preset that can be read.")


def test_a_workspace_taken_away_by_another_page_is_not_chosen(page, space):
    assert page.workspace_events.select_workspace("gone")[page.layout.model.workspace]["value"] == "ghost"
    assert page.workspace_events.refresh_list("gone")[page.layout.model.workspace]["value"] == "ghost"
    assert set(page.workspace_events.refresh_list("ghost")) == {page.layout.model.workspace}, ("what is written on the "
                                                                                               "page stays")


def test_a_page_opened_later_lists_what_was_deleted_and_saved_meanwhile(page, space):
    page.layout.model.create_workspace("other", "plain", "thing", "lora")
    page.layout.model.delete_workspace("other")
    presets.save_preset(page.layout.train.presets.folder, "mine", space.read_run())
    updates = page.workspace_events.enter()
    assert updates[page.layout.model.trash]["choices"] == ["other"]
    assert "My mine" in updates[page.layout.train.presets.choice]["choices"]


def test_an_answer_counts_only_for_the_question_that_it_was_given_to(page, space):
    """The question of one workspace may still be shown when another is chosen."""
    events, tab = page.train_events, page.layout.train
    space.save_run(space.read_run().with_values({"base": {"checkpoint": "toyland"}}))
    write_trained_state(space, 30)
    data = {**data_of(page, space.read_run()), tab.question: None, tab.choices_shown: []}
    updates = events.start(data)
    shown = updates[tab.question]["choices"]
    assert shown[0] == ("Continue after step 30 and save as ghost",
                        "continue-overwrite") and updates[tab.started] is None

    chosen = {**data, tab.question: "restart-overwrite", tab.choices_shown: updates[tab.choices_shown]}
    assert events.answer_to_question(chosen, space.read_run(), space) == "restart-overwrite"
    write_trained_state(space, 60)
    assert events.answer_to_question(chosen, space.read_run(), space) == ""
    assert events.start(chosen)[tab.question]["choices"][0][0] == "Continue after step 60 and save as ghost"
