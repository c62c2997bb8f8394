"""Names of layers: every one has a key, and the way there and back is the same."""

from dataclasses import replace

import pytest
from helpers import BASE
from safetensors import safe_open

from extension_lib.families.sd1 import SD1
from extension_lib.models.names import (
    inverted,
    replace_prefix,
    unet_block,
    unet_keys,
    unet_prefixes,
    vae_prefixes,
)


@pytest.mark.parametrize(
    "diffusers, compvis",
    [("conv_in", "input_blocks.0.0"),
     ("down_blocks.2.attentions.1.transformer_blocks.0.attn1.to_q", "input_blocks.8.1.transformer_blocks.0.attn1.to_q"),
     ("down_blocks.0.downsamplers.0.conv", "input_blocks.3.0.op"),
     ("mid_block.resnets.1.conv2", "middle_block.2.out_layers.3"),
     ("up_blocks.0.upsamplers.0.conv", "output_blocks.2.1.conv"),
     ("up_blocks.1.upsamplers.0.conv", "output_blocks.5.2.conv"),
     ("up_blocks.3.resnets.2.conv_shortcut", "output_blocks.11.0.skip_connection"),
     ("time_embedding.linear_2", "time_embed.2"), ("conv_norm_out", "out.0")])
def test_known_names(diffusers, compvis):
    assert replace_prefix(diffusers, unet_prefixes(SD1)) == compvis
    assert replace_prefix(compvis, inverted(unet_prefixes(SD1))) == diffusers


@pytest.mark.parametrize("path, block", [
    ("down_blocks.0.attentions.0.proj_in", "IN01"), ("down_blocks.3.resnets.1.conv1", "IN11"),
    ("mid_block.attentions.0.proj_in", "MID"), ("up_blocks.3.attentions.2.proj_out", "OUT11"),
    ("up_blocks.0.upsamplers.0.conv", "OUT02"), ("conv_in", "IN00"), ("time_embedding.linear_1", "IN00"),
    ("conv_out", "OUT")])
def test_paths_tell_their_block(path, block):
    assert unet_block(path, SD1) == block


@pytest.mark.parametrize("names, ours, others", [
    ("diffusers", "lora_unet_down_blocks_2_attentions_1_proj_in", "lora_unet_input_blocks_8_1_proj_in"),
    ("compvis", "lora_unet_input_blocks_8_1_proj_in", "lora_unet_down_blocks_2_attentions_1_proj_in")])
def test_a_family_says_whose_paths_its_lora_files_have_and_those_of_others_are_understood(names, ours, others):
    assert unet_keys("down_blocks.2.attentions.1.proj_in", replace(SD1, lora_names=names)) == (ours, others)


def test_no_two_blocks_share_a_name():
    for names in (unet_prefixes(SD1), vae_prefixes()):
        assert len(set(names.values())) == len(names)


def test_every_weight_of_a_checkpoint_has_a_name_in_diffusers():
    unet, vae = inverted(unet_prefixes(SD1)), inverted(vae_prefixes())
    with safe_open(BASE, "pt") as file:
        for key in file.keys():  # noqa: SIM118
            for prefix, names in (("model.diffusion_model.", unet), ("first_stage_model.", vae)):
                if key.startswith(prefix):
                    assert replace_prefix(key.removeprefix(prefix), names), key


def test_layers_have_distinct_keys_without_dots(view):
    keys = [layer.key for layer in view.layers()]
    assert len(set(keys)) == len(keys) and not any("." in key for key in keys)


def test_an_sd1_lora_has_kohya_s_192_layers_in_the_unet_and_six_a_layer_of_text(view):
    from extension_lib.methods.targets import TARGETS
    from extension_lib.methods.targets import select_layers as chosen_by

    chosen = chosen_by(view.layers(), TARGETS["attention and MLP"], {"unet": 1.0, "te1": 1.0})
    assert sum(layer.part == "unet" for layer in chosen) == 192
    assert sum(layer.part == "te1" for layer in chosen) == 6 * view.text_models[0].config.num_hidden_layers
