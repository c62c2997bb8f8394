"""Layouts of other programs: files in them are read, and written so that they are the same file."""

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from writers import BASE, WAYS, file_of, largest_difference, multiplies, plain_deltas

from extension_lib.families import SD1, SD2, SDXL
from extension_lib.files import keys
from extension_lib.files.base import opened_checkpoint
from extension_lib.files.combine import Part, Sum, add_up
from extension_lib.files.describe import describe
from extension_lib.files.layouts import LAYOUTS, Conversion, convert
from extension_lib.files.progress import finished
from extension_lib.files.source import FileProblem
from extension_lib.models.names import lora_key

Q = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
OUT = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"
CONV = "down_blocks.0.resnets.0.conv1"
TEXT = "text_model.encoder.layers.0.self_attn.q_proj"
COMPVIS = {Q: "input_blocks.1.1.transformer_blocks.0.attn1.to_q", CONV: "input_blocks.1.0.in_layers.2",
           OUT: "input_blocks.1.1.transformer_blocks.0.attn1.to_out.0"}
KEYS = {path: lora_key("lora_te" if path == TEXT else "lora_unet", path) for path in (Q, OUT, CONV, TEXT)}
UP, DOWN = "lora_up.weight", "lora_down.weight"


def matrices(path, rank=3):
    """(down, up) for a layer of toyland's base."""
    with opened_checkpoint(BASE) as base:
        shape = base.shape(KEYS[path])
    rng = torch.Generator().manual_seed(len(path))
    return (torch.randn(rank, *shape[1:], generator=rng),
            torch.randn(shape[0], rank, *[1] * (len(shape) - 2), generator=rng))


def part(path):
    return "text_encoder" if path == TEXT else "unet"


def factors_named(name, down="lora_A.weight", up="lora_B.weight", alpha=None):
    """A file whose layers are called by name(path)."""
    tensors: dict[str, torch.Tensor] = {}
    for path in KEYS:
        a, b = matrices(path)
        tensors |= {f"{name(path)}.{down}": a, f"{name(path)}.{up}": b}
        if alpha is not None:
            tensors[f"{name(path)}.alpha"] = torch.tensor(float(alpha))
    return tensors


def comfy(path):
    return f"text_encoders.clip_l.transformer.{path}" if path == TEXT else f"diffusion_model.{COMPVIS[path]}"


def diffusers_first(path):
    """As diffusers wrote attention before PEFT; it had no convolutions."""
    a, b = matrices(path)
    if path == TEXT:
        names = [f"text_encoder.{path}.lora_linear_layer.{end}.weight" for end in ("down", "up")]
    else:
        before = path.replace("attn1.", "attn1.processor.").removesuffix(".0")
        names = [f"unet.{before}_lora.{end}.weight" for end in ("down", "up")]
    return dict(zip(names, (a, b)))


def loha(path, rank=2):
    with opened_checkpoint(BASE) as base:
        shape = base.shape(KEYS[path])
    rng = torch.Generator().manual_seed(len(path))
    return {f"hada_w{n}_{side}": torch.randn(size, generator=rng)
            for n in (1, 2) for side, size in (("a", (shape[0], rank)), ("b", (rank, torch.Size(shape[1:]).numel())))}


# By writer: (a name for the file, its tensors, what lies beside it, the alpha of rank 3 that it means).
WRITERS = {
    "kohya's scripts": ("a.safetensors", lambda: factors_named(KEYS.get, DOWN, UP, 1.5), None, 1.5),
    "kohya's scripts, LDM's paths": ("a.safetensors", lambda: factors_named(
        lambda p: KEYS[p] if p == TEXT else lora_key("lora_unet", COMPVIS[p]), DOWN, UP, 1.5), None, 1.5),
    "LyCORIS alone": ("a.safetensors", lambda: factors_named(
        lambda p: KEYS[p] if p == TEXT else lora_key("lycoris", p), DOWN, UP, 1.5), None, 1.5),
    "diffusers": ("pytorch_lora_weights.safetensors", lambda: factors_named(lambda p: f"{part(p)}.{p}"), None, 3),
    "diffusers, before PEFT": ("pytorch_lora_weights.bin",
                               lambda: {k: t for p in (Q, OUT, TEXT) for k, t in diffusers_first(p).items()}, None, 3),
    "PEFT": ("adapter_model.safetensors",
             lambda: factors_named(lambda p: f"base_model.model.{p}"), {"lora_alpha": 6}, 6),
    "ComfyUI": ("a.safetensors", lambda: factors_named(comfy, DOWN, UP), None, 3),
    "OneTrainer": ("a.safetensors", lambda: factors_named(
        lambda p: f"{'lora_te' if p == TEXT else 'lora_unet'}.{p}", DOWN, UP, 1.5), None, 1.5),
    "AUTOMATIC1111's .pt": ("a.pt", lambda: factors_named(KEYS.get, DOWN, UP, 1.5), None, 1.5),
}


def written(folder, name, tensors, beside=None):
    path = folder / name
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=False)
    if beside:
        (folder / "adapter_config.json").write_text(json.dumps(beside), encoding="utf-8")
    return path


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_of_another_writer_is_what_its_matrices_say(tmp_path, writer):
    name, tensors, beside, alpha = WRITERS[writer]
    path = written(tmp_path, name, tensors(), beside)
    out = finished(add_up(Sum([Part(path, 2.0)], tmp_path / "out.safetensors", precision="fp32")))
    paths = [p for p in KEYS if writer != "diffusers, before PEFT" or p != CONV]
    wanted = {KEYS[p]: 2 * alpha / 3 * (up.flatten(1) @ down.flatten(1)).reshape(len(up), *down.shape[1:])
              for p in paths for down, up in (matrices(p),)}
    assert largest_difference(plain_deltas(out), wanted) < 1e-5
    assert {n.partition(".")[0] for n in load_file(out)} == {KEYS[p] for p in paths}


def test_a_loha_of_lycoris_and_comfyui_s_differences_are_read(tmp_path):
    tensors = {f"{KEYS[path]}.{n}": t for path in (Q, CONV) for n, t in loha(path).items()}
    a1, b1, a2, b2 = loha(CONV).values()
    path = written(tmp_path, "a.safetensors", tensors)
    one = plain_deltas(path)
    assert torch.allclose(one[KEYS[CONV]].flatten(1), (a1 @ b1) * (a2 @ b2), atol=1e-4)
    with opened_checkpoint(BASE) as base:
        shape = base.shape(KEYS[CONV])
    theirs = {f"{comfy(CONV)}.diff": torch.ones(shape), f"{comfy(CONV)}.diff_b": torch.ones(shape[0]),
              f"{comfy(OUT)}.diff_b": torch.full((base_shape(OUT)[0],), 2.0)}
    other = written(tmp_path, "b.safetensors", theirs)
    out = finished(add_up(Sum([Part(path), Part(other, 0.5)], tmp_path / "out.safetensors", BASE, "fp32")))
    found = plain_deltas(out)
    assert torch.allclose(found[KEYS[CONV]], one[KEYS[CONV]] + 0.5, atol=1e-4)
    assert found[f"{KEYS[CONV]} bias"].mean() == 0.5 and found[f"{KEYS[OUT]} bias"].mean() == 1.0


def base_shape(path):
    with opened_checkpoint(BASE) as base:
        return base.shape(KEYS[path])


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "peft"])
def test_a_lora_in_another_layout_is_the_same_lora(tmp_path, layout):
    out = tmp_path / f"out{LAYOUTS[layout].suffix}"
    path, = finished(convert(Conversion(file_of("locon"), out, layout, "fp32")))
    assert largest_difference(plain_deltas(path), plain_deltas(file_of("locon"))) < 1e-5
    found = finished(describe(path))
    assert found.layout == {"comfyui": "ComfyUI", "diffusers": "diffusers"}.get(layout, "kohya")


def test_peft_gets_a_folder_for_each_part(tmp_path):
    paths = finished(convert(Conversion(file_of("locon"), tmp_path / "out", "peft", "fp32")))
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "out/unet/adapter_model.safetensors", "out/text_encoder/adapter_model.safetensors"]
    found = {key: delta for path in paths for key, delta in plain_deltas(path).items()}
    assert largest_difference(found, plain_deltas(file_of("locon"))) < 1e-5
    said = json.loads((tmp_path / "out" / "unet" / "adapter_config.json").read_text(encoding="utf-8"))
    assert said["r"] == 4 and set(said["rank_pattern"].values()) == {2}


@pytest.mark.once
@pytest.mark.parametrize("layout", ["comfyui", "pt", "kohya"])
@pytest.mark.parametrize("way", [way for way in WAYS if way not in ("norm",)])
def test_every_kind_keeps_its_tensors_in_layouts_that_have_room_for_it(tmp_path, way, layout):
    out = tmp_path / f"out{LAYOUTS[layout].suffix}"
    path, = finished(convert(Conversion(file_of(way), out, layout, "fp32")))
    wanted = plain_deltas(file_of(way))
    assert largest_difference(plain_deltas(path), wanted) < 1e-5


@pytest.mark.parametrize("layout", ["diffusers", "peft"])
@pytest.mark.parametrize("way", [way for way in WAYS if way in ("loha", "full", "norm", "oft", "lora, DoRA")])
def test_what_a_layout_has_no_room_for_is_refused_with_a_way_out(tmp_path, way, layout):
    assert way in ("loha", "full", "norm") or multiplies(way)
    with pytest.raises(FileProblem, match="Resize it to a rank first"):
        finished(convert(Conversion(file_of(way), tmp_path / "out.safetensors", layout)))


def test_a_text_encoder_without_attention_gets_a_layer_that_adds_nothing_for_diffusers(tmp_path):
    mlp = {name: t for name, t in load_file(file_of("lora")).items() if "_mlp_" in name}
    save_file(mlp, tmp_path / "a.safetensors")
    path, = finished(convert(Conversion(tmp_path / "a.safetensors", tmp_path / "out.safetensors", "diffusers", "fp32")))
    deltas = plain_deltas(path)
    added, = deltas.keys() - plain_deltas(tmp_path / "a.safetensors").keys()
    assert added.endswith("layers_0_self_attn_out_proj") and not deltas[added].any()


def test_a_wrong_ending_is_one_sentence(tmp_path):
    with pytest.raises(FileProblem, match=r"Call it out\.pt"):
        finished(convert(Conversion(file_of("lora"), tmp_path / "out.safetensors", "pt")))


def test_a1111_s_safe_reader_takes_the_pt(tmp_path):
    """It takes torch's legacy layout alone."""
    path, = finished(convert(Conversion(file_of("lora"), tmp_path / "out.pt", "pt", "fp16")))
    tensors = torch.load(path, weights_only=True)
    assert path.read_bytes()[:2] != b"PK" and tensors.keys() == load_file(file_of("lora")).keys()
    assert {t.dtype for name, t in tensors.items() if "alpha" not in name} == {torch.float16}


@pytest.mark.once
@pytest.mark.parametrize(("family", "name"), [(SD1, "tiny-sd1"), (SD2, "tiny-sd2"), (SDXL, "tiny-xl")])
def test_each_key_has_one_path_and_the_file_s_key_leads_back_to_it(tiny, family, name):
    with opened_checkpoint(tiny(name)) as base:
        assert base.family is family
        for key, leaf in base.places:
            prefix = keys.prefix_of(key)
            assert lora_key(prefix, keys.path_of(key)) == key and keys.block_of(key, family) in family.blocks
            in_file = keys.file_key(key, family)
            assert keys.common_key(in_file.replace("lora_te1_", "lora_te_")) == key
            shape = base.shape(key)
            if leaf == "weight" and "_attentions_" in key and len(shape) > 1:
                assert keys.kernel_of(key, family) == shape[2:], key


def test_headers_of_other_layouts_say_whose_they_are(tmp_path):
    path, = finished(convert(Conversion(file_of("lora"), tmp_path / "out.safetensors", "diffusers", "bf16")))
    with safe_open(path, "pt") as file:
        assert '"layout": "diffusers"' in file.metadata()["darkroom_made_by"]
        assert {file.get_slice(name).get_dtype() for name in file.keys()} == {"BF16"}  # noqa: SIM118
