"""Purposes, card sizes and saved presets: what each changes, and what it leaves alone."""

from itertools import product

import pytest

from extension_lib import methods
from extension_lib.config import presets
from extension_lib.config.purposes import GPUS, PURPOSES, settings_decided_by
from extension_lib.config.run import from_dict, require_startable, to_dict
from extension_lib.families import FAMILIES
from extension_lib.families.kind import CheckpointKind
from extension_lib.families.sdxl import SDXL
from extension_lib.settings import SettingError
from extension_lib.setup.practice import TOYLAND
from extension_lib.support import toml
from extension_lib.support.disk import NameProblem
from extension_lib.workspaces import workspace
from extension_lib.workspaces.starting_run import starting_run

pytestmark = pytest.mark.once

TOYLAND_S = TOYLAND / "base.darkroom.toml"
MEMORY = {("training", "batch_size"), ("training", "accumulation"), ("training", "checkpointing"),
          ("training", "optimizer"), ("training", "in_backward"), ("training", "offload"), ("method", "bf16")}
METHODS = list(methods.all_methods())
KINDS = [None, *(CheckpointKind(family, None) for family in FAMILIES)]


def differing(run, other):
    """(section, name) of the settings that are not the same in both."""
    sections, others = to_dict(run), to_dict(other)
    assert sections.pop("concepts") == others["concepts"]
    return {(section, name)
            for section, values in sections.items()
            for name in values
            if values[name] != others[section][name]}


def values(run, keys):
    return {(section, name): getattr(getattr(run, section), name) for section, name in keys}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("card", ["", *GPUS])
def test_every_choice_gives_a_run_that_can_start(method, purpose, card):
    for kind in KINDS:
        run = presets.defaults(method, None, purpose, card, kind)
        require_startable(
            run.with_values({"output": {"name": "a"}, "base": {"checkpoint": "b"}, "concepts": [{"folder": "c"}]}))


@pytest.mark.parametrize("method", METHODS)
def test_a_card_changes_memory_alone_and_never_learns_from_fewer_pictures_at_once(method):
    assert set(settings_decided_by(GPUS, method)) <= MEMORY
    for kind, card in product(KINDS, GPUS):
        start = presets.defaults(method, kind=kind)
        changed = presets.with_gpu(start, card, kind=kind)
        assert differing(changed, start) <= MEMORY
        now, before = changed.training, start.training
        assert now.batch_size * now.accumulation >= before.batch_size * before.accumulation


@pytest.mark.parametrize("method", METHODS)
def test_a_purpose_never_trains_shorter_than_the_method_asks(method):
    steps = presets.defaults(method).training.steps
    assert all(presets.defaults(method, None, purpose).training.steps >= steps for purpose in PURPOSES)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("table, choose", [(PURPOSES, presets.with_purpose), (GPUS, presets.with_gpu)])
def test_the_last_choice_alone_counts_and_leaves_the_rest(method, table, choose):
    run = presets.defaults(method).with_values({"training": {"seed": 9}, "output": {"name": "a"}})
    *others, last = table
    straight = choose(run, last)
    for other in others:
        assert choose(choose(run, other), last) == straight
    keys = settings_decided_by(table, method)
    assert differing(straight, run) <= set(keys) and (straight.training.seed, straight.output.name) == (9, "a")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_family_knows_better_than_the_purpose(method, purpose):
    run, plain = (presets.defaults(method, None, chosen, kind=CheckpointKind(SDXL, None)) for chosen in (purpose, ""))
    assert (run.method.rates, run.data.resolution) == (plain.method.rates, 1024)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_checkpoint_s_own_preset_knows_better_than_the_purpose(method, purpose):
    own = toml.read_toml(TOYLAND_S)
    of_method = own.pop("methods").get(method, {})
    run = presets.defaults(method, TOYLAND_S, purpose)
    for layer in (of_method, own):
        for section, wanted in layer.items():
            for name, value in wanted.items():
                if layer is of_method or name not in of_method.get(section, {}):
                    assert getattr(getattr(run, section), name) == value, (section, name)


def test_what_a_style_needs():
    lora, word = (presets.defaults(m, None, "style") for m in ("lora", "textual_inversion"))
    assert (lora.data.caption_dropout, lora.training.steps) == (0.05, 3000)
    # An empty caption does not hold the word, so that it would learn nothing there.
    assert (word.data.template, word.data.caption_dropout) == ("style", 0.0)


@pytest.mark.parametrize("choice", [{"purpose": "cat"}, {"gpu": "3"}])
def test_a_choice_that_is_none_is_named(choice):
    with pytest.raises(SettingError, match="is not among"):
        presets.defaults("lora", None, **choice)


def test_a_preset_that_names_no_method_is_named(tmp_path):
    (tmp_path / "odd.toml").write_text("methods.magic.training.steps = 1", encoding="utf-8")
    with pytest.raises(SettingError, match="odd.toml names methods that do not exist: magic"):
        presets.defaults("lora", tmp_path / "odd.toml")


# ---- saved presets

MINE = {
    "output": {"name": "ghost"}, "base": {"checkpoint": "a"}, "concepts": [{"folder": "a"}],
    "method": {"name": "loha",
               "rank": 3}, "training": {"steps": 5}, "previews": {"prompts": ["zwx"], "preview_steps": 9}
}
OTHER = {
    "output": {"name": "cat"}, "base": {"checkpoint": "b"}, "concepts": [{"folder": "b"}],
    "previews": {"prompts": ["qvk"]}
}


def test_a_saved_preset_brings_its_settings_to_another_workspace_and_nothing_of_the_first(tmp_path):
    presets.save_preset(tmp_path, "夜 quick", from_dict(MINE))
    assert presets.saved_presets(tmp_path) == ["夜 quick"]
    brought = presets.with_saved_preset(from_dict(OTHER), tmp_path, "夜 quick")
    assert brought == from_dict({**to_dict(from_dict(MINE)), **{k: OTHER[k] for k in ("output", "base", "concepts")},
                                 "previews": {"prompts": ["qvk"], "preview_steps": 9}})


@pytest.mark.parametrize("name, text, said", [
    ("none", None, "There is no file"), ("odd", "training.speed = 1", "training.speed is not a setting"),
    ("own", "output.name = 'a'", "belongs to a workspace"), ("broken", "[", "not a readable TOML")])
def test_a_preset_that_cannot_be_read_is_named(tmp_path, name, text, said):
    if text is not None:
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingError, match=said):
        presets.with_saved_preset(from_dict({}), tmp_path, name)


def test_a_preset_s_name_must_be_a_file_s(tmp_path):
    with pytest.raises(NameProblem, match="preset's name"):
        presets.save_preset(tmp_path, "../up", from_dict({}))


class Nobody:
    """A host without a checkpoint."""

    def checkpoints(self):
        return []


def test_a_workspace_begins_as_its_purpose_and_its_checkpoint_say(tmp_path):
    run = from_dict({"base": {"checkpoint": "gone"}})
    space = workspace.create_workspace(tmp_path, "ghost", run, "style")
    assert starting_run(space, Nobody()) == presets.defaults("lora", None, "style")
    assert starting_run(space, Nobody(), "loha") == presets.defaults("loha", None, "style")
