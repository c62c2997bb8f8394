"""LoRA files of SDXL and SD2 in standalone: each key finds its layer, whichever program named it."""

import pytest
import torch
from kohya import lora_for
from safetensors.torch import load_file, save_file

from extension_lib.host import Checkpoint
from extension_lib.hosts.drawing.merging import read_deltas
from extension_lib.hosts.standalone import Standalone


@pytest.fixture(scope="module", params=["tiny-sd2", "tiny-xl"])
def view(request, tiny, tmp_path_factory):
    path = tiny(request.param)
    return Standalone(tmp_path_factory.mktemp("home")).load(Checkpoint(path.stem, path)).view


@pytest.fixture
def lora(view, tiny, tmp_path):
    """A file by kohya's rules, and what it adds."""
    path = tmp_path / "lora.safetensors"
    return path, lora_for(tiny("tiny-xl" if view.family.sized else "tiny-sd2"), view.family, path)


def test_kohya_s_names_are_those_of_our_layers(view, lora):
    path, wanted = lora
    found = read_deltas(path, view.layers())
    assert found.keys() == wanted.keys()
    assert all(torch.allclose(found[key], wanted[key], atol=1e-6) for key in wanted)


def test_diffusers_names_of_both_text_encoders_are_read(view, lora):
    path, wanted = lora
    text = {key: tensor for key, tensor in load_file(path).items() if not key.startswith("lora_unet")}
    save_file({diffusers_name(key): tensor for key, tensor in text.items()}, path)
    found = read_deltas(path, view.layers())
    assert found.keys() == {key for key in wanted if not key.startswith("lora_unet")}
    assert all(torch.allclose(found[key], wanted[key], atol=1e-6) for key in found)


def diffusers_name(key):
    """text_encoder_2.text_model.encoder.layers.0.self_attn.q_proj.lora_A.weight"""
    prefix, _, rest = key.partition("_text_model_encoder_layers_")
    layer, _, leaf = rest.partition("_")
    module, _, tensor = leaf.partition(".")
    module = module.replace("self_attn_", "self_attn.").replace("mlp_", "mlp.")
    start = "text_encoder_2" if prefix == "lora_te2" else "text_encoder"
    tensor = {"lora_down.weight": "lora_A.weight", "lora_up.weight": "lora_B.weight"}.get(tensor, tensor)
    return f"{start}.text_model.encoder.layers.{layer}.{module}.{tensor}"
