"""Which layers an adapter hangs on."""

from dataclasses import replace

import pytest
import torch

from extension_lib import methods
from extension_lib.families.sd1 import SD1
from extension_lib.methods.targets import BLOCKS, TARGETS, parse_blocks, select_layers
from extension_lib.settings import SettingError

BOTH = {"unet": 1.0, "te1": 1.0}


def test_every_layer_belongs_to_a_block_that_can_be_named(view):
    assert {layer.block for layer in view.layers()} <= set(BLOCKS)


def test_the_presets_hold_one_another_and_count_as_kohya_and_lycoris_count(view):
    counts = [
        sum(layer.part == "unet"
            for layer in select_layers(view.layers(), wanted, BOTH))
        for wanted in TARGETS.values()
    ]
    assert counts == [128, 192, 192 + 85, 192 + 85 + 4]  # SD1 has 86: toyland's second level is no wider than its first


def test_a_part_that_does_not_learn_is_left_alone(view):
    only = select_layers(view.layers(), TARGETS["everything"], {"unet": 1.0, "te1": 0.0})
    assert only and all(layer.part == "unet" for layer in only)


@pytest.mark.parametrize("text, found", [
    ("", set()), ("IN01", {"IN01"}), ("in04-in06, mid", {"IN04", "IN05", "IN06", "MID"}),
    ("OUT11 OUT;BASE", {"OUT11", "OUT", "BASE"})])
def test_blocks_are_named_as_people_write_them(text, found):
    assert parse_blocks(text) == found


@pytest.mark.parametrize("text", ["IN12", "MIDDLE", "IN06-IN04", "IN04-x"])
def test_what_is_no_block_is_named(text):
    with pytest.raises(SettingError, match="is no block"):
        parse_blocks(text)


def test_blocks_can_be_left_out(view):
    left = select_layers(view.layers(), TARGETS["everything"], BOTH, parse_blocks("IN00-MID"))
    assert left and {layer.block[:3] for layer in left} == {"BAS", "OUT"}


def test_a_family_has_a_block_for_each_place_of_its_unet():
    assert SD1.blocks[:2] == ("BASE", "IN00") and SD1.blocks[12:15] == ("IN11", "MID", "OUT00")
    assert replace(SD1, levels=3).blocks[-2:] == ("OUT08", "OUT")


def test_weights_in_fp8_are_not_trained_whole(model, monkeypatch):
    stored = [w._replace(parameter=w.parameter.detach().to(torch.float8_e4m3fn)) for w in model.weights()]
    monkeypatch.setattr(model, "weights", lambda: stored)
    with pytest.raises(SettingError, match="FP8"):
        methods.all_methods()["dreambooth"]().attach(model, seed=0)
