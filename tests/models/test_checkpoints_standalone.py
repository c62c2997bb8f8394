"""Checkpoints as people have them: each that cannot be loaded is one sentence, and what can be made right is."""

import shutil
import sys
import types

import pytest
import torch
from helpers import BASE
from safetensors.torch import load_file, save_file

from extension_lib import __main__ as cli
from extension_lib.families.sd1 import SD1
from extension_lib.host import HostError
from extension_lib.models import convert as converting
from extension_lib.models.checkpoint_parts import VAE
from extension_lib.models.detect import FIRST, UNET
from extension_lib.models.diffusers_pipeline import load_pipeline

TEXT = SD1.text_encoders[0].checkpoint
BIAS = f"{UNET}time_embed.0.bias"


@pytest.fixture(scope="module")
def whole():
    return load_file(BASE)


@pytest.fixture(autouse=True)
def configuration(tmp_path, monkeypatch):
    """Toyland's lies beside the file and is what conversion knows."""
    shutil.copytree(BASE.with_suffix(""), tmp_path / "some")
    shutil.copytree(BASE.with_suffix(""), tmp_path / "configs" / "sd1")
    monkeypatch.setattr(converting, "CONFIGS", tmp_path / "configs")


def saved(folder, tensors, name="some.safetensors"):
    save_file(tensors, folder / name)
    return folder / name


def without(tensors, *starts):
    return {name: t for name, t in tensors.items() if not name.startswith(starts)}


def parameters(pipeline):
    return {f"{part} {name}": p for part in ("unet", "vae", "text_encoder")
            for name, p in getattr(pipeline, part).named_parameters()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def right():
    return parameters(load_pipeline(BASE, torch.float32))


def averaged(tensors):
    ema = {converting.averaged_name(name): t for name, t in tensors.items() if name.startswith(UNET)}
    return {**without(tensors, UNET), **ema, "model_ema.num_updates": torch.tensor(3)}


BROKEN = {
    "no VAE": (lambda t: without(t, VAE), "has no VAE.* named some.vae.safetensors"),
    "a part of the UNet is missing": (lambda t: without(t, f"{UNET}output_blocks"), "incomplete: .* such as model"),
    "a part of the VAE is missing": (lambda t: without(t, f"{VAE}decoder"), "incomplete: .* such as first_stage_model"),
    "a part of the text encoder is missing": (lambda t: without(t, f"{TEXT}text_model.final"), "incomplete: 2 of its"),
    "a tensor of another shape": (lambda t: {**t, BIAS: torch.zeros(7)}, r"time_embed.0.bias has the shape \(7,\)"),
    "a first tensor without dimensions": (lambda t: {**t, FIRST: torch.tensor(1.0)}, "is not a Stable Diffusion"),
    "averaged weights alone": (averaged, r"averaged weights \(EMA\) alone.*convert"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_checkpoint_that_cannot_be_loaded_is_one_sentence_that_names_it(tmp_path, whole, fault):
    make, words = BROKEN[fault]
    with pytest.raises(HostError, match=f"^some.safetensors .*{words}") as error:
        load_pipeline(saved(tmp_path, make(whole)), torch.float32)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("file", ["model_index.json", "unet/config.json", "text_encoder/config.json",
                                  "scheduler/scheduler_config.json"])
@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"hidden_size": null}'])
def test_a_broken_configuration_beside_it_is_one_sentence(tmp_path, whole, file, text):
    (tmp_path / "some" / file).write_text(text, encoding="utf-8")
    try:
        load_pipeline(saved(tmp_path, whole), torch.float32)
    except HostError as error:
        assert str(error).startswith("some.safetensors ") and "\n" not in str(error)


@pytest.mark.parametrize("prefix", [VAE, ""])
def test_the_vae_that_lies_beside_a_checkpoint_is_used(tmp_path, whole, right, prefix):
    vae = {prefix + name.removeprefix(VAE): t for name, t in whole.items() if name.startswith(VAE)}
    saved(tmp_path, vae, "some.vae.safetensors")
    assert same(parameters(load_pipeline(saved(tmp_path, without(whole, VAE)), torch.float32)), right)


def test_a_vae_beside_a_checkpoint_that_is_none_is_named(tmp_path, whole):
    saved(tmp_path, {"x": torch.ones(1)}, "some.vae.safetensors")
    with pytest.raises(HostError, match="^some.vae.safetensors is incomplete"):
        load_pipeline(saved(tmp_path, whole), torch.float32)


def test_old_names_of_the_text_encoder_are_read(tmp_path, whole, right):
    old = {name.replace(".text_model.", "."): t for name, t in whole.items()}
    assert old.keys() != whole.keys()
    assert same(parameters(load_pipeline(saved(tmp_path, old), torch.float32)), right)


# ---- conversion

def save_as_lightning(path, tensors, monkeypatch):
    """With a class beside the weights that is not installed where the file is read."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    kept = type("ModelCheckpoint", (), {"__module__": name})
    with monkeypatch.context() as patch:
        for end in range(1, 4):
            patch.setitem(sys.modules, ".".join(name.split(".")[:end]), types.ModuleType(name))
        setattr(sys.modules[name], kept.__name__, kept)
        torch.save({"state_dict": tensors, "global_step": 3, "callbacks": {kept: {"best_model_path": ""}}}, path)
    return path


def test_a_ckpt_is_refused_with_the_way_to_convert_it_and_converted_it_is_the_same(tmp_path, whole, right, capsys,
                                                                                 monkeypatch):
    path = save_as_lightning(tmp_path / "some.ckpt", whole, monkeypatch)
    with pytest.raises(HostError, match="some.ckpt is of an older format.*convert"):
        load_pipeline(path, torch.float32)
    assert cli.main(["convert", str(path)]) == 0 and "some.safetensors" in capsys.readouterr().out
    assert same(parameters(load_pipeline(tmp_path / "some.safetensors", torch.float32)), right)
    assert cli.main(["convert", str(path)]) == 2 and "exists already" in capsys.readouterr().err


def test_averaged_weights_become_the_weights_where_there_are_no_others(tmp_path, whole, right):
    out = converting.convert(saved(tmp_path, averaged(whole), "ema.safetensors"), tmp_path / "some.safetensors")
    assert same(parameters(load_pipeline(out, torch.float32)), right)
    own = saved(tmp_path, {**averaged(whole), BIAS: torch.full_like(whole[BIAS], 2.0)}, "own.safetensors")
    assert load_file(converting.convert(own, tmp_path / "both.safetensors"))[BIAS][0] == 2.0


class Runs:
    def __reduce__(self):
        import os
        return os.getcwd, ()


@pytest.mark.parametrize("content, words", [({"x": Runs()}, "could run a program"), ({"y": 1}, "holds no tensors"),
                                            ({"y": torch.ones(1)}, "no checkpoint of Stable Diffusion")])
def test_what_is_no_checkpoint_is_not_converted(tmp_path, capsys, content, words):
    torch.save(content, tmp_path / "a.ckpt")
    assert cli.main(["convert", str(tmp_path / "a.ckpt")]) == 2
    said = capsys.readouterr().err
    assert words in said and "a.ckpt" in said and "weights_only" not in said
    assert not (tmp_path / "a.safetensors").exists()


def test_a_missing_file_is_named(tmp_path, capsys):
    assert cli.main(["convert", str(tmp_path / "a.ckpt")]) == 2 and "There is no file" in capsys.readouterr().err
