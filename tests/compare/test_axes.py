"""The X/Y/Z plot's axes: each changes one thing of the prompt's tag, in any order, beside anything else in the
prompt.
"""

import json
from functools import reduce
from itertools import permutations
from typing import Any

import pytest

from extension_lib.compare import axes
from extension_lib.compare.axes import NoFile, change_prompt, parse_choice
from extension_lib.compare.series import LAST, TAGGED, find_series, newest_series
from extension_lib.host import Folders

FOLDERS = ("lora", "embeddings", "hypernetworks", "checkpoints", "workspaces")


def write(path, **header):
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({"__metadata__": header}, ensure_ascii=False).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)


@pytest.fixture
def library(tmp_path):
    for stem in ("ghost", "ghost-000100", "ghost-000500"):
        write(tmp_path / "lora" / f"{stem}.safetensors", darkroom_method="lora")
    for stem in ("robot", "robot-000100"):
        write(tmp_path / "lora" / f"{stem}.safetensors", darkroom_method="pivotal", darkroom_words='["zwx"]')
    write(tmp_path / "lora" / "猫.safetensors", ss_network_module="lycoris.kohya", ss_network_args='{"algo": "loha"}')
    write(tmp_path / "hypernetworks" / "old.pt")
    return find_series(Folders(*(tmp_path / name for name in FOLDERS)), TAGGED)


CHANGES: dict[str,
              Any] = {"file": axes.to_file, "method": axes.to_method, "step": axes.to_step, "weight": axes.to_weight}


def after(prompt, library, *steps):
    """The prompt after these axes: ("weight", 0.5), ..."""
    def one(state, step):
        return change_prompt(state[0], state[1], library, CHANGES[step[0]](library, step[1]))

    return reduce(one, steps, (prompt, None))[0]


@pytest.mark.parametrize("prompt, name, step, weight", [
    ("a ghost <lora:ghost:0.8>", "ghost", LAST, 0.8), ("<lora:ghost> a", "ghost", LAST, 1.0),
    ("<hypernet:old:1>", "old", LAST, 1.0), ("a <lora:ghost-000500:0.5:1>", "ghost", "500", 0.5),
    ("a <lora:gone:0.5>", "gone", LAST, 0.5)])
def test_a_prompt_s_tag_is_read(library, prompt, name, step, weight):
    pick = parse_choice(prompt, library)
    assert (pick.series.name, pick.step, pick.weight) == (name, step, weight)
    assert parse_choice("a ghost", library) is None


def test_the_order_of_the_axes_does_not_matter(library):
    steps = (("file", "ghost"), ("step", "500"), ("weight", 0.5))
    seen = {after("a ghost, (blue:1.2)", library, *order) for order in permutations(steps)}
    assert seen == {"a ghost, (blue:1.2) <lora:ghost-000500:0.5>"}


def test_weight_0_is_the_bare_prompt_in_any_order(library):
    for order in permutations((("weight", 0.0), ("step", "100"), ("file", "ghost"))):
        assert after("a ghost <lora:ghost:1>", library, *order) == "a ghost"


def test_a_tag_that_is_there_is_changed_in_its_place_and_others_are_left(library):
    assert after("a <lora:ghost:1> b <lora:style:0.4>", library, ("weight", 0.25)) == ("a <lora:ghost:0.25> b "
                                                                                       "<lora:style:0.4>")
    assert after("a <lora:ghost> b", library, ("weight", 0.25)) == "a b <lora:ghost:0.25>"


def test_without_a_tag_the_newest_file_is_meant(library):
    assert f"<lora:{newest_series(library).name}:" in after("a", library, ("weight", 0.5)).replace("hypernet", "lora")
    with pytest.raises(NoFile, match="There is no LoRA yet"):
        after("a ghost", (), ("weight", 0.5))


def test_a_hypernetwork_takes_a_lora_s_place(library):
    assert after("a <lora:ghost:0.5>", library, ("file", "old (hypernetwork)")) == "a <hypernet:old:0.5>"


def test_a_method_chooses_its_newest_file(library):
    assert after("a <lora:ghost:0.5>", library, ("method", "LoHa")) == "a <lora:猫:0.5>"
    with pytest.raises(NoFile, match="no file of the method LoKr"):
        after("a", library, ("method", "LoKr"))
    with pytest.raises(NoFile, match="Use one of them"):
        after("a", library, ("file", "ghost"), ("method", "LoHa"))


def test_words_learned_beside_an_adapter_follow_its_step_and_leave_with_it(library):
    steps = (("file", "robot"), ("step", "100"), ("weight", 0.5))
    for order in permutations(steps):
        assert after("a ZWX robot, zwxy", library, *order) in ("a zwx-000100 robot, zwxy <lora:robot-000100:0.5>",)
    for order in permutations((("file", "robot"), ("weight", 0.0))):
        assert after("a zwx robot", library, *order) == "a robot"
    assert after("a zwx robot <lora:robot:1>", library, ("file", "ghost")) == "a zwx robot <lora:ghost:1>"


def test_choices_are_what_lies_in_the_folders(library):
    assert axes.series_labels(library) == ["ghost", "robot", "猫", "old (hypernetwork)"]
    assert axes.all_steps(library) == ["100", "500", LAST]
    assert sorted(axes.method_titles(library)) == ["HyperNetwork", "LoHa", "LoRA", "Pivotal Tuning"]


@pytest.mark.parametrize("axis, value", [("file", "gone"), ("step", "7"), ("method", "Magic")])
def test_a_value_that_is_not_there_is_named_before_anything_is_drawn(library, axis, value):
    with pytest.raises(NoFile, match=value):
        CHANGES[axis](library, value)
