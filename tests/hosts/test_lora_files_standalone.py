"""LoRA files of other programs, drawn with standalone: each name finds its layer; a bad file is one sentence."""

import logging
from collections import OrderedDict

import pytest
import torch
from helpers import BASE
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from extension_lib.compare.tags import Tag
from extension_lib.export import verify
from extension_lib.families.sd1 import SD1
from extension_lib.host import HostError, Picture
from extension_lib.hosts.drawing import merging
from extension_lib.methods.adapter import lazy_deltas
from extension_lib.models.diffusers_pipeline import load_pipeline
from extension_lib.models.names import unet_prefixes
from extension_lib.support.seeds import generator_for

UNET = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_"
TE = "lora_te_text_model_encoder_layers_0_self_attn_q_proj"
KEYS = (f"{UNET}q", f"{UNET}out_0", TE)
PATHS = dict(zip(KEYS, (
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "text_model.encoder.layers.0.self_attn.q_proj")))


def tensors_of(model, key, rank=3):
    """(down, up) of a LoRA on a layer."""
    layer = next(layer for layer in model.layers() if layer.key == key)
    out, into = layer.shape[:2]
    return tuple(torch.randn(*shape, generator=generator_for(key, *shape)) for shape in ((rank, into), (out, rank)))


def deltas_of(model, alpha=1.5, rank=3):
    """What a LoRA of this alpha adds to the layers."""
    return {key: up @ down * alpha / rank for key in KEYS for down, up in (tensors_of(model, key, rank),)}


def compvis(path):
    theirs = unet_prefixes(SD1)["down_blocks.0.attentions.0"]
    return path.replace("down_blocks.0.attentions.0", theirs)


NAMES = {
    "kohya": lambda key: (f"{key}.lora_down.weight", f"{key}.lora_up.weight", f"{key}.alpha"),
    "kohya with te1 and A and B": lambda key: (f"{key.replace('lora_te_', 'lora_te1_')}.{end}"
                                               for end in ("lora_A.weight", "lora_B.weight", "alpha")),
    "compvis": lambda key: (f"{key.replace('down_blocks_0_attentions_0', 'input_blocks_1_1')}.{end}"
                            for end in ("lora_down.weight", "lora_up.weight", "alpha")),
    "diffusers": lambda key: (f"{'text_encoder' if key == TE else 'unet'}.{PATHS[key]}.{end}"
                              for end in ("lora_A.weight", "lora_B.weight", "alpha")),
    "diffusers' first": lambda key: (
        (f"text_encoder.{PATHS[key]}.lora_linear_layer.{end}" for end in ("down.weight", "up.weight", "alpha"))
        if key == TE else
        [*(f"unet.{PATHS[key].replace('attn1.', 'attn1.processor.').removesuffix('.0')}_lora.{end}"
           for end in ("down.weight", "up.weight")), f"unet.{PATHS[key]}.alpha"]),
    "OneTrainer": lambda key: (f"{'lora_te' if key == TE else 'lora_unet'}.{PATHS[key]}.{end}"
                               for end in ("lora_down.weight", "lora_up.weight", "alpha")),
    "OneTrainer's OMI": lambda key: (f"{'clip_l' if key == TE else 'unet'}.{compvis(PATHS[key])}.{end}"
                                     for end in ("lora_down.weight", "lora_up.weight", "alpha")),
}


def written(path, model, names=NAMES["kohya"], **changes):
    """A LoRA on three layers; changes: other tensors by their names."""
    tensors = {}
    for key in KEYS:
        tensors.update(zip(names(key), (*tensors_of(model, key), torch.tensor(1.5))))
    save_file({name: t for name, t in {**tensors, **changes}.items() if t is not None}, path)
    return path


@pytest.mark.parametrize("program", NAMES)
def test_the_names_of_other_programs_are_read_as_kohya_s(tmp_path, model, program):
    if program == "diffusers' first":  # its text encoder's alpha is behind the layer too
        names = lambda key: [n.replace("lora_linear_layer.alpha", "alpha") for n in NAMES[program](key)]  # noqa: E731
    else:
        names = NAMES[program]
    found = merging.read_deltas(written(tmp_path / "a.safetensors", model, names), model.layers())
    assert verify.differences(found, deltas_of(model), "fp32") == []


@pytest.mark.parametrize("dora", [False, True])
def test_a_file_that_diffusers_or_peft_saved_is_read_with_its_alpha(tmp_path, model, dora):
    unet = load_pipeline(BASE, torch.float32).unet
    config = LoraConfig(r=3, lora_alpha=6, target_modules=["attn1.to_q", "attn2.to_k", "conv1"], use_dora=dora,
                        init_lora_weights=False)
    peft = get_peft_model(unet, config)
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "magnitude" in name:
                parameter.mul_(1.05)
    peft.save_pretrained(tmp_path / "peft")
    wanted = {}
    for name, module in peft.base_model.model.named_modules():
        if hasattr(module, "get_delta_weight") and getattr(module, "lora_A", None):
            before = module.base_layer.weight.detach().clone()
            module.merge()
            wanted["lora_unet_" + name.replace(".", "_")] = (module.base_layer.weight - before).detach()
    found = merging.read_deltas(tmp_path / "peft" / "adapter_model.safetensors", model.layers())
    assert len(wanted) > 10 and verify.differences(found, wanted, "fp32") == []


def test_diffusers_header_says_the_alpha(tmp_path, model):
    from diffusers import StableDiffusionPipeline

    unet = load_pipeline(BASE, torch.float32).unet
    config = LoraConfig(r=3, lora_alpha=6, target_modules=["to_q"], init_lora_weights=False)
    unet.add_adapter(config)
    StableDiffusionPipeline.save_lora_weights(tmp_path, get_peft_model_state_dict(unet, adapter_name="default"),
                                              unet_lora_adapter_metadata=config.to_dict())
    found = merging.read_deltas(tmp_path / "pytorch_lora_weights.safetensors", model.layers())
    wanted = {"lora_unet_" + name.replace(".", "_"): module.get_delta_weight("default").detach()
              for name, module in unet.named_modules() if hasattr(module, "get_delta_weight")}
    assert len(wanted) > 10 and verify.differences(found, wanted, "fp32") == []


def test_an_alpha_that_peft_wrote_for_one_file_is_not_another_s(tmp_path, model):
    (tmp_path / "adapter_config.json").write_text('{"lora_alpha": 99}', encoding="utf-8")
    path = written(tmp_path / "a.safetensors", model, **{f"{key}.alpha": None for key in KEYS})
    assert verify.differences(merging.read_deltas(path, model.layers()), deltas_of(model, alpha=3), "fp32") == []


@pytest.mark.parametrize("suffix", [".SAFETENSORS", ".pt", ".bin"])
def test_other_suffixes_are_read(tmp_path, model, suffix):
    path = written(tmp_path / "a.safetensors", model)
    if suffix == ".SAFETENSORS":
        path = path.rename(tmp_path / f"a{suffix}")
    else:
        torch.save({"state_dict": OrderedDict(load_file(path))}, tmp_path / f"a{suffix}")
        path = tmp_path / f"a{suffix}"
    found = merging.read_deltas(path, model.layers())
    assert verify.differences(found, deltas_of(model), "fp32") == []


# ---- what cannot be used

class Runs:
    def __reduce__(self):
        import os
        return os.getcwd, ()


def broken(path, model, fault):
    q = f"{UNET}q"
    down, up = tensors_of(model, q)
    changes = {
        "rank 0": {f"{q}.lora_down.weight": down[:0], f"{q}.lora_up.weight": up[:, :0]},
        "turned": {f"{q}.lora_down.weight": up.T[:, :5].contiguous(), f"{q}.lora_up.weight": up},
        "ranks apart": {f"{q}.lora_down.weight": down[:1]},
        "no dimension": {f"{q}.lora_down.weight": torch.tensor(1.0)},
        "long alpha": {f"{q}.alpha": torch.ones(4)},
        "NaN": {f"{q}.lora_up.weight": torch.full_like(up, torch.nan)},
        "half": {f"{q}.lora_down.weight": None},
        "of no kind": {f"{q}.lora_down.weight": None, f"{q}.lora_up.weight": None, f"{q}.mystery": torch.ones(2)},
        "a bias": {f"{q}.lora_down.weight": None, f"{q}.lora_up.weight": None, f"{q}.alpha": None,
                   f"{q}.diff": torch.zeros(up.shape[0], down.shape[1]), f"{q}.diff_b": torch.ones(len(up))},
        "on a norm": {"lora_unet_down_blocks_0_resnets_0_norm1.lora_down.weight": down,
                      "lora_unet_down_blocks_0_resnets_0_norm1.lora_up.weight": up},
    }
    written(path, model, **changes.get(fault, {}))
    if fault == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    if fault == "text":
        path.write_text("<html>not found</html>")
    if fault == "empty":
        path.write_bytes(b"")
    if fault == "no tensors":
        save_file({}, path)
    if fault == "another family":
        save_file({"lora_te2_text_model_x.lora_down.weight": down}, path)


FAULTS = ("rank 0", "turned", "ranks apart", "no dimension", "long alpha", "NaN", "half", "of no kind", "a bias",
          "on a norm", "truncated", "text", "empty", "no tensors", "another family")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_lora_that_cannot_be_used_is_one_sentence_that_names_it(tmp_path, model, fault):
    path = tmp_path / "broken.safetensors"
    broken(path, model, fault)
    before = {key: layer.module.weight.clone() for key in KEYS for layer in model.layers() if layer.key == key}
    with pytest.raises(HostError, match="broken.safetensors") as error, \
            merging.merged_into_weights(model.layers(), [(path, Tag("lora", "broken", 1.0, 1.0))]):
        pass
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    assert all(torch.equal(layer.module.weight, before[layer.key]) for layer in model.layers() if layer.key in before)


@pytest.mark.parametrize("name", ["a.pt", "a.bin", "a.ckpt"])
def test_a_pickle_that_would_run_something_is_refused_without_torch_s_advice(tmp_path, model, name):
    torch.save({"x": Runs(), "y": torch.ones(1)}, tmp_path / name)
    with pytest.raises(HostError, match=f"{name} .*could run a program") as error:
        merging.read_deltas(tmp_path / name, model.layers())
    assert "weights_only" not in str(error.value)


def test_a_key_without_a_layer_is_a_warning_while_drawing(host, caplog):
    view = host.ready.view
    host.folders.lora.mkdir(parents=True)
    written(host.folders.lora / "a.safetensors", view, **{"lora_unet_gone.lora_down.weight": torch.ones(1, 1)})
    with caplog.at_level(logging.WARNING):
        image, = host.draw([Picture("a ghost <lora:a:1>", steps=1, width=64, height=64)])
    assert image.size == (64, 64) and "a.safetensors: 1 of its 4 keys have no layer" in caplog.text
    with pytest.raises(HostError, match="1 keys that this model has no layer for"):
        host.read_back(host.folders.lora / "a.safetensors", "lora")


def test_a_tag_finds_a_file_whatever_its_suffix(host):
    view = host.ready.view
    host.folders.lora.mkdir(parents=True)
    torch.save(load_file(written(host.folders.lora / "x.safetensors", view)), host.folders.lora / "a.pt")
    plain, with_file = (host.draw([Picture(prompt, steps=1, width=64, height=64)])[0]
                        for prompt in ("a ghost", "a ghost <lora:a:1>"))
    assert plain.tobytes() != with_file.tobytes()


def test_norms_of_rows_are_read_as_lycoris_writes_them(model):
    from lycoris.modules.locon import LoConModule

    from extension_lib.export.lora import adapter_delta
    from extension_lib.methods.adapter import Delta

    layer = next(layer for layer in model.layers() if layer.key == f"{UNET}q")
    module = LoConModule(layer.key, layer.module, lora_dim=3, alpha=1.5, weight_decompose=True, wd_on_out=True)
    with torch.no_grad():
        module.lora_up.weight.normal_(generator=generator_for("up"))
        module.dora_scale.mul_(1.1)
        tensors = {"lora_down.weight": module.lora_down.weight, "lora_up.weight": module.lora_up.weight,
                   "alpha": module.alpha, "dora_scale": module.dora_scale}
        wanted = module.get_merged_weight()[0] - layer.module.weight
        found = adapter_delta(layer.key, tensors, layer.module.weight.float())
    lines = verify.differences(lazy_deltas({"q": lambda: found}), lazy_deltas({"q": lambda: Delta(wanted)}), "fp32")
    assert lines == []
