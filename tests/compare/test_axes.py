"""The X/Y/Z plot's axes: each changes one thing of the prompt's tag, in any order, beside anything else in the prompt."""

from itertools import permutations

import pytest

from extension_lib.compare.axes import LAST, NoFile, Pick, changed, names, newest, picked, steps


@pytest.mark.parametrize("prompt, pick", [
    ("a ghost <lora:ghost:0.8>", Pick("ghost", LAST, 0.8)), ("<lora:ghost> a", Pick("ghost", LAST, 1.0)),
    ("a <lora:ghost-000500:0.5:1>", Pick("ghost", "500", 0.5)), ("a ghost", None)])
def test_a_prompt_s_tag_is_read(prompt, pick):
    assert picked(prompt) == pick


def test_the_order_of_the_axes_does_not_matter():
    values = {"name": "ghost", "step": "500", "weight": 0.5}
    seen = set()
    for order in permutations(values):
        prompt, pick = "a ghost, (blue:1.2)", None
        for field in order:
            prompt, pick = changed(prompt, pick, "cat", **{field: values[field]})
        seen.add(prompt)
    assert seen == {"a ghost, (blue:1.2) <lora:ghost-000500:0.5>"}


def test_weight_0_is_the_bare_prompt_and_can_be_followed_by_another_axis():
    prompt, pick = changed("a ghost <lora:ghost:1>", None, weight=0.0)
    assert prompt == "a ghost"
    assert changed(prompt, pick, step="100")[0] == "a ghost"


def test_a_tag_that_is_there_is_changed_and_others_are_left():
    assert changed("a <lora:ghost:1> b <lora:style:0.4>", None, weight=0.25)[0] == "a b <lora:style:0.4> <lora:ghost:0.25>"


def test_without_a_tag_the_newest_file_is_meant():
    assert changed("a ghost", None, "cat", weight=0.5)[0] == "a ghost <lora:cat:0.5>"
    with pytest.raises(NoFile, match="There is no LoRA yet"):
        changed("a ghost", None, weight=0.5)


def test_choices_are_what_lies_in_the_folder(tmp_path):
    for stem in ("ghost", "ghost-000100", "ghost-000500", "cat", "cat-000100"):
        (tmp_path / f"{stem}.safetensors").touch()
    assert names(tmp_path) == ["cat", "ghost"] and steps(tmp_path) == ["100", "500", LAST] and newest(tmp_path) in ("cat", "ghost")
