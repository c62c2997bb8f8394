"""Files merged into a checkpoint are in its weights exactly, and come out of it again."""

import hashlib

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from writers import BASE, WAYS, file_of, largest_difference, plain_deltas

from extension_lib.export.lora import adapter_delta, read_adapter
from extension_lib.files.base import opened_checkpoint
from extension_lib.files.combine import Part
from extension_lib.files.extract import Extract, extract
from extension_lib.files.merge import Merge, merge
from extension_lib.files.progress import finished
from extension_lib.files.singular import Keep
from extension_lib.files.source import FileProblem


def merged(out, *parts, base=BASE, precision="fp32"):
    return finished(merge(Merge(base, [Part(*part) for part in parts], out, precision, overwrite=True)))


def weights_of(path):
    """By key and leaf, fp32."""
    with opened_checkpoint(path) as checkpoint:
        return {place: checkpoint.parameter(*place).float().clone() for place in checkpoint.places}


@pytest.mark.once
@pytest.mark.parametrize("way", WAYS)
def test_a_merged_checkpoint_is_the_base_and_what_the_file_adds(tmp_path, way):
    done = merged(tmp_path / "m.safetensors", (file_of(way), 0.75))
    before, after, deltas = weights_of(BASE), weights_of(done.path), plain_deltas(file_of(way))
    for (key, leaf), value in before.items():
        delta = deltas.get(key if leaf == "weight" else f"{key} bias")
        wanted = value if delta is None else value + 0.75 * delta.reshape(value.shape)
        assert torch.allclose(after[key, leaf], wanted, atol=1e-6), (key, leaf)
    assert not done.unmatched and done.layers == len(read_adapter(file_of(way)))


def test_files_are_merged_one_after_the_other_as_the_webui_does(tmp_path):
    one, two = file_of("oft"), file_of("glora")
    done = merged(tmp_path / "m.safetensors", (one, 1.0), (two, 0.5))
    before, after, first, second = weights_of(BASE), weights_of(done.path), read_adapter(one), read_adapter(two)
    for key in first:
        value = before[key, "weight"]
        value = value + adapter_delta(key, first[key], value).weight
        if key in second:
            value = value + 0.5 * adapter_delta(key, second[key], value).weight
        assert torch.allclose(after[key, "weight"], value, atol=1e-6)


def test_what_is_not_changed_stays_byte_for_byte_and_the_rest_keeps_its_precision(tmp_path):
    done = merged(tmp_path / "m.safetensors", (file_of("lora"), 1.0), precision="")
    before, after = load_file(BASE), load_file(done.path)
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert before.keys() == after.keys() and 0 < len(changed) <= len(read_adapter(file_of("lora")))
    assert all(after[name].dtype == before[name].dtype for name in before)
    with safe_open(done.path, "pt") as file:
        assert file.metadata()["modelspec.title"] == "m" and "merge" in file.metadata()["darkroom_made_by"]


@pytest.mark.once
@pytest.mark.parametrize("family", ["tiny-sd2", "tiny-xl"])
def test_an_openclip_encoder_s_fused_attention_takes_its_thirds(tmp_path, tiny, family):
    base = tiny(family)
    part = "lora_te" if family == "tiny-sd2" else "lora_te2"
    keys = [f"{part}_text_model_encoder_layers_1_self_attn_{p}_proj" for p in ("q", "v", "out")]
    tensors = {f"{key}.diff": torch.full((256, 256), n + 1.0) for n, key in enumerate(keys)}
    save_file(tensors, tmp_path / "a.safetensors")
    done = merged(tmp_path / "m.safetensors", (tmp_path / "a.safetensors", 1.0), base=base)
    before, after = load_file(base), load_file(done.path)
    name = next(n for n in before if n.endswith("resblocks.1.attn.in_proj_weight"))
    gained = (after[name].float() - before[name].float()).chunk(3)
    assert [round(third.mean().item(), 2) for third in gained] == [1.0, 0.0, 2.0]
    out = name.replace("in_proj_weight", "out_proj.weight")
    assert (after[out].float() - before[out].float()).mean().item() == pytest.approx(3, abs=1e-2)


@pytest.mark.parametrize("way", ["lora", "locon", "dylora"])
def test_a_lora_merged_in_full_precision_comes_out_again(tmp_path, way):
    """To its rank, within a thousandth."""
    done = merged(tmp_path / "m.safetensors", (file_of(way), 1.0))
    told = Extract(BASE, done.path, tmp_path / "x.safetensors", Keep(rank=4), "fp32")
    found = finished(extract(told))
    assert largest_difference(plain_deltas(found.path), plain_deltas(file_of(way))) < 1e-3
    assert found.rank <= 4 and found.error < 1e-3 and found.same


def test_in_half_precision_the_error_is_told(tmp_path):
    done = merged(tmp_path / "m.safetensors", (file_of("lora"), 1.0), precision="fp16")
    found = finished(extract(Extract(BASE, done.path, tmp_path / "x.safetensors", Keep(rank=4), "fp32")))
    assert 1e-5 < found.error < 0.1
    assert largest_difference(plain_deltas(found.path), plain_deltas(file_of("lora"))) < 0.2


@pytest.mark.once
def test_the_difference_of_two_checkpoints_in_full_is_exact(tmp_path):
    one = merged(tmp_path / "1.safetensors", (file_of("full"), 1.0))
    two = merged(tmp_path / "2.safetensors", (file_of("norm"), 1.0), base=one.path)
    found = finished(extract(Extract(BASE, two.path, tmp_path / "x.safetensors", None, "fp32")))
    again = merged(tmp_path / "3.safetensors", (found.path, 1.0))
    wanted, after = weights_of(two.path), weights_of(again.path)
    assert all(torch.allclose(after[place], value, atol=1e-6) for place, value in wanted.items())


@pytest.mark.once
def test_checkpoints_that_do_not_fit_are_one_sentence(tmp_path, tiny):
    with pytest.raises(FileProblem, match="is Stable Diffusion 1, but"):
        finished(extract(Extract(BASE, tiny("tiny-xl"), tmp_path / "x.safetensors", Keep(rank=1))))
    with pytest.raises(FileProblem, match="has none of the layers"):
        save_file({"lora_unet_down_blocks_9_resnets_0_conv1.diff": torch.ones(1)}, tmp_path / "a.safetensors")
        merged(tmp_path / "m.safetensors", (tmp_path / "a.safetensors", 1.0))
    with pytest.raises(FileProblem, match="is not a Stable Diffusion checkpoint"):
        merged(tmp_path / "m.safetensors", (file_of("lora"), 1.0), base=file_of("lora"))
    with pytest.raises(FileProblem, match="is for Stable Diffusion 1, but"):
        merged(tmp_path / "m.safetensors", (file_of("lora"), 1.0), base=tiny("tiny-xl"))
    with pytest.raises(FileProblem, match="There is no file"):
        merged(tmp_path / "m.safetensors", (tmp_path / "none.safetensors", 1.0))
    assert not (tmp_path / "m.safetensors").exists()


def test_the_base_is_not_touched(tmp_path):
    before = hashlib.sha256(BASE.read_bytes()).hexdigest()
    with pytest.raises(FileProblem, match="one of the files that are read"):
        merged(BASE, (file_of("lora"), 1.0))
    assert hashlib.sha256(BASE.read_bytes()).hexdigest() == before
