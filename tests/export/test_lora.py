"""LoRA files: written as the loaders want them, and proven by reading them back."""

import hashlib
import json
import struct

import pytest
import torch
from helpers import about, small_run, trained
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from extension_lib.config.run import from_dict
from extension_lib.export import card, lora, verify
from extension_lib.hosts.drawing import merging
from extension_lib.methods.adapter import Adapter
from extension_lib.support.seeds import generator_for


@pytest.fixture
def learned(model, tmp_path):
    """A LoRA on the model whose matrices are all far from zero."""
    run = small_run(tmp_path)
    trainable = run.method.attach(model, 0)
    assert isinstance(trainable, Adapter)
    with torch.no_grad():
        for key, module in trainable.modules.items():
            for name, parameter in module.named_parameters():
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator_for(key, name)))
    assert all(delta.norm() > 0 for delta in trainable.deltas().values())
    yield run, trainable
    trainable.detach()


def written(tmp_path, learned, precision="fp32", name="ghost"):
    run, trainable = learned
    path = tmp_path / f"{name}.safetensors"
    lora.write_adapter(path, trainable, about(run.with_values({"saving": {"precision": precision}})))
    return path


def own_deltas(path, model):
    return merging.read_deltas(path, model.layers())


def lycoris_deltas(path, model):
    """What the LyCORIS library makes of the file, layer by layer."""
    from lycoris.modules import get_module, make_module

    tensors = load_file(path)
    out = {}
    for layer in model.layers():
        kind, weights = get_module(tensors, layer.key)
        if kind is not None:
            out[layer.key] = make_module(kind, weights, layer.key,
                                         layer.module).get_diff_weight()[0].detach().reshape(layer.shape)
    return out


@pytest.mark.parametrize("precision", verify.TOLERANCE)
def test_what_loaders_read_is_what_was_trained(tmp_path, model, learned, precision):
    run, trainable = learned
    path, deltas = written(tmp_path, (run, trainable), precision), trainable.deltas()
    assert verify.differences(own_deltas(path, model), deltas, precision) == []
    assert verify.differences(lycoris_deltas(path, model), deltas, precision) == []


def test_the_file_has_the_form_of_kohya_s(tmp_path, model, learned):
    path = written(tmp_path, learned, "fp16")
    layers = {layer.key: layer for layer in model.layers()}
    for key, tensors in lora.read_adapter(path).items():
        assert set(tensors) == {"lora_down.weight", "lora_up.weight", "alpha"}
        assert tensors["alpha"].dim() == 0 and tensors["alpha"] == 4
        assert tensors["lora_down.weight"].dim() == len(layers[key].shape)  # 1x1 convolutions stay four-dimensional
        assert tensors["lora_up.weight"].dtype == torch.float16


def test_the_header_has_what_tools_look_up(tmp_path, learned):
    path = written(tmp_path, learned, name="ghost-000500")
    data = path.read_bytes()
    assert data[8:10] == b'{"'
    with safe_open(path, "pt") as file:
        header = file.metadata()
    assert header["ss_output_name"] == "ghost-000500"
    assert header["ss_base_model_version"] == "sd_v1" and header["ss_v2"] == "False"
    assert header["ss_network_module"] == "networks.lora" and header["ss_network_dim"] == "4"
    assert json.loads(header["ss_tag_frequency"]) == {"pictures": {"a zwx ghost": 5}}
    assert header["modelspec.architecture"] == "stable-diffusion-v1/lora" and header["ss_clip_skip"] == "1"
    assert header["sshs_model_hash"] == hashlib.sha256(data[8 + struct.unpack("<Q", data[:8])[0]:]).hexdigest()
    assert len(header["sshs_legacy_hash"]) == 8


def damaged(path, change):
    tensors = {key: tensor.clone() for key, tensor in load_file(path).items()}
    with safe_open(path, "pt") as file:
        header = file.metadata()
    change(tensors)
    save_file(tensors, path, header)


def test_a_corrupted_tensor_is_reported(tmp_path, model, learned):
    path = written(tmp_path, learned)
    key = "lora_unet_mid_block_attentions_0_proj_in"
    damaged(path, lambda t: t[f"{key}.lora_up.weight"].mul_(1.001))
    found, = verify.differences(own_deltas(path, model), learned[1].deltas(), "fp32")
    assert key in found and "0.001" in found


def test_a_corrupted_alpha_is_reported(tmp_path, model, learned):
    path = written(tmp_path, learned)
    key = "lora_te_text_model_encoder_layers_0_mlp_fc1"
    damaged(path, lambda t: t[f"{key}.alpha"].mul_(2))
    assert key in verify.differences(own_deltas(path, model), learned[1].deltas(), "fp32")[0]


def test_a_corrupted_name_is_reported(tmp_path, model, learned):
    path = written(tmp_path, learned)
    key = "lora_unet_mid_block_attentions_0_proj_in"

    def rename(tensors):
        for part in ("lora_up.weight", "lora_down.weight", "alpha"):
            tensors[f"{key}x.{part}"] = tensors.pop(f"{key}.{part}")

    damaged(path, rename)
    trained = learned[1].deltas()
    loaded = {k: trained[k] for k in lora.read_adapter(path) if not k.endswith("x")}
    assert verify.differences(loaded, trained, "fp32") == [f"{key} was trained but is not loaded"]


def test_the_card_can_be_used_at_once_and_keeps_what_people_wrote(tmp_path, learned):
    run = learned[0].with_values({"concepts": [{"folder": "x", "instance_prompt": "a zwx ghost, [filewords]"}]})
    path = tmp_path / "ghost.safetensors"
    card.write_card(path, about(run))
    first = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert first["activation text"] == "a zwx ghost" and first["preferred weight"] == 1.0 and first["sd version"] == (
        "SD1")
    first.update({"notes": "mine", "preferred weight": 0.8})
    path.with_suffix(".json").write_text(json.dumps(first), encoding="utf-8")
    card.write_card(path, about(run, step=9))
    second = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert second["notes"] == "mine" and second["preferred weight"] == 0.8 and "9 steps" in second["description"]
    card.write_card(path, about(run.with_values({"concepts": [{"folder": "x", "instance_prompt": "a qvk cat"}]})))
    third = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    # the words were ours, the weight was not
    assert third["activation text"] == "a qvk cat" and third["preferred weight"] == 0.8


def test_a_layer_that_learned_nothing_is_not_called_broken(model, pictures, tmp_path):
    run = small_run(pictures)
    _, trainable = trained(model, run)  # 64 pixels: the lowest level attends over one place and learns nothing
    path = written(tmp_path, (run, trainable), "fp16")
    lines = verify.differences(own_deltas(path, model), trainable.deltas(), "fp16")
    trainable.detach()
    assert lines == []


@pytest.mark.parametrize("sections, words, called", [
    ({"concepts": [{"instance_prompt": "a photo of [name], [filewords]", "word": "zwx"}]}, (), "a photo of zwx"),
    ({"concepts": [{"instance_prompt": "a photo of [name]"}]}, (), "a photo of ghost"),
    ({"concepts": [{}], "data": {"template": "object"}}, ("zwx",), "zwx"),
    ({"concepts": [{"instance_prompt": "a photo of [name]"}], "data": {"template": "object"}}, (), ""),
    ({"concepts": [{"instance_prompt": "a thing"}, {}]}, ("zwx", "qvk"), "zwx, a thing, qvk")])
def test_a_card_says_what_was_learned_to_be_called(sections, words, called):
    assert about(from_dict(sections), name="ghost", words=words).trigger == called


def test_a_host_in_half_precision_is_held_to_half_precision():
    assert [verify.less_precise(*pair)
            for pair in (("fp32", "fp16"), ("bf16", "fp16"), ("fp32", "fp32"))] == ["fp16", "bf16", "fp32"]
