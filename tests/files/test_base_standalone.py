"""A checkpoint's layers, told from the names of its tensors, are those of the model that is built of it."""

import pytest
import torch

from extension_lib.files import keys
from extension_lib.files.base import opened_checkpoint
from extension_lib.models.diffusers_view import load_view


@pytest.mark.parametrize("family", ["tiny-sd1", "tiny-sd2", "tiny-xl"])
def test_a_checkpoint_s_layers_are_those_of_the_model_by_name_and_value(tiny, family):
    view = load_view(tiny(family), torch.device("cpu"), torch.float32)
    with opened_checkpoint(tiny(family)) as base:
        for layer in (layer for layer in view.layers() if layer.path != "text_model.text_projection"):
            key = keys.common_key(layer.key.replace("lora_te1_", "lora_te_"))
            assert torch.equal(base.parameter(key).float(), layer.module.weight), key
