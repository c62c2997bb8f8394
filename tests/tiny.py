"""Tiny random checkpoints of each family, which both hosts load: PYTHONPATH=. python tests/tiny.py FOLDER."""

import json
import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

import tiny_settings as built
import torch
import yaml
from safetensors.torch import save_file
from tiny_settings import SD1, SD2, SDXL, TinyFamily
from torch import Tensor

from extension_lib.families.sd1 import SD1 as SD1_NAMES
from extension_lib.families.sdxl import SDXL as SDXL_NAMES
from extension_lib.models import clip_vocabulary as clip
from extension_lib.models.names import replace_prefix, unet_prefixes, vae_prefixes
from extension_lib.models.text_encoder import text_path

SEED = 17
# What ends a branch that is added; the transformers' are strong, so that the prompt shows.
STRENGTHS = {".net.2.": 0.5, ".conv2.": 0.5, ".out_proj.": 0.5, ".fc2.": 0.5, ".proj_out.": 1.5}
OPEN_CLIP = {"self_attn.out_proj": "attn.out_proj", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
             "layer_norm1": "ln_1", "layer_norm2": "ln_2"}


def write_sdxl(folder: Path, name: str = "tiny-xl", prediction: str = "eps", markers: Iterable[str] = ()) -> Path:
    """markers: empty tensors that say something about the checkpoint, such as v_pred and ztsnr."""
    return write(folder, name, SDXL, prediction, markers)


def write_sd2(folder: Path, name: str = "tiny-sd2", prediction: str = "v") -> Path:
    return write(folder, name, SD2, prediction)


def write_sd1(folder: Path, name: str = "tiny-sd1", prediction: str = "eps") -> Path:
    return write(folder, name, SD1, prediction)


def write(folder: Path, name: str, family: TinyFamily, prediction: str, markers: Iterable[str] = ()) -> Path:
    """The checkpoint in the layout of LDM; beside it how diffusers (a folder) and the WebUI (a .yaml) build it."""
    path = folder / f"{name}.safetensors"
    write_diffusers_folder(folder / name, family, prediction)
    settings = built.webui_settings(family, prediction, str((folder / name / "tokenizer").resolve()))
    path.with_suffix(".yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    empty = {marker: torch.zeros(0) for marker in markers}
    save_file({**checkpoint(family), **empty}, path, {"format": "pt"})
    return path


def write_diffusers_folder(folder: Path, family: TinyFamily, prediction: str) -> None:
    write_json(folder / "model_index.json", built.model_index(family))
    write_json(folder / "unet" / "config.json", built.unet_config(family))
    write_json(folder / "vae" / "config.json", built.vae_config(family))
    write_json(folder / "scheduler" / "scheduler_config.json", built.scheduler(family, prediction))
    for number, kind in enumerate(family.encoders):
        ending = f"_{number + 1}" if number else ""
        write_json(folder / f"text_encoder{ending}" / "config.json", built.text_config(family, kind))
        write_tokenizer(folder / f"tokenizer{ending}", pad=clip.END if kind == "clip" else "!")
    for_webui = built.text_config(family, family.encoders[0])
    write_json(folder / "tokenizer" / "config.json", for_webui)


def write_tokenizer(folder: Path, pad: str) -> None:
    merges, tokens = vocabulary()
    special = {"bos_token": clip.START, "eos_token": clip.END, "unk_token": clip.END, "pad_token": pad}
    write_json(folder / "vocab.json", {token: n for n, token in enumerate(tokens)})
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, merges), ""]), encoding="utf-8")
    write_json(folder / "special_tokens_map.json", special)
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "errors": "replace",
        "add_prefix_space": False, **special})


@cache
def vocabulary() -> tuple[list[tuple[str, str]], list[str]]:
    """CLIP's merges and tokens."""
    merges = clip.read_merges(clip.vocabulary_file())
    return merges, [*clip.word_parts(), *map("".join, merges), clip.START, clip.END]


def write_json(path: Path, values: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")


def checkpoint(family: TinyFamily) -> dict[str, Tensor]:
    """Random weights in fp16, the same at every call."""
    found = {**unet_weights(family), **vae_weights(family)}
    for prefix, kind in zip(family.text_prefixes, family.encoders):
        found.update(text_weights(family, prefix, kind))
    return {name: tensor.half().contiguous() for name, tensor in found.items()}


def unet_weights(family: TinyFamily) -> dict[str, Tensor]:
    from diffusers import UNet2DConditionModel

    names = unet_prefixes(SDXL_NAMES if family.has_sizes else SD1_NAMES)
    weights = random_weights(UNet2DConditionModel, built.unet_config(family))
    return {f"model.diffusion_model.{replace_prefix(path, names)}": tensor for path, tensor in weights.items()}


def vae_weights(family: TinyFamily) -> dict[str, Tensor]:
    from diffusers import AutoencoderKL

    weights = {}
    for path, tensor in random_weights(AutoencoderKL, built.vae_config(family)).items():
        name = replace_prefix(path, vae_prefixes())
        convolution = ".attn_1." in str(name) and tensor.dim() == 2  # 1x1, of which diffusers makes linear layers
        weights[f"first_stage_model.{name}"] = tensor[:, :, None, None] if convolution else tensor
    return weights


def text_weights(family: TinyFamily, prefix: str, kind: str) -> dict[str, Tensor]:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    if kind == "clip":
        weights = random_weights(CLIPTextModel, CLIPTextConfig(**built.text_config(family, kind)))
        return {f"{prefix}{text_path(path)}": tensor for path, tensor in weights.items()}
    whole = CLIPTextConfig(**{**built.text_config(family, kind), "num_hidden_layers": OPEN_CLIP_LAYERS})
    return open_clip_names(random_weights(CLIPTextModelWithProjection, whole), prefix)


OPEN_CLIP_LAYERS = 10


def open_clip_names(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """transformers' weights as OpenCLIP has them: q, k and v are one tensor."""
    weights = {path.removeprefix("text_model."): tensor for path, tensor in weights.items()}
    found = {"token_embedding.weight": weights["embeddings.token_embedding.weight"],
             "positional_embedding": weights["embeddings.position_embedding.weight"],
             "text_projection": weights["text_projection.weight"].T, "logit_scale": torch.tensor(4.6052)}
    for leaf in ("weight", "bias"):
        found[f"ln_final.{leaf}"] = weights[f"final_layer_norm.{leaf}"]
        for n in range(OPEN_CLIP_LAYERS):
            ours, theirs = f"transformer.resblocks.{n}", f"encoder.layers.{n}"
            found[f"{ours}.attn.in_proj_{leaf}"] = torch.cat(
                [weights[f"{theirs}.self_attn.{part}_proj.{leaf}"] for part in "qkv"])
            found.update({f"{ours}.{b}.{leaf}": weights[f"{theirs}.{a}.{leaf}"] for a, b in OPEN_CLIP.items()})
    return {prefix + name: tensor for name, tensor in found.items()}


def random_weights(kind: Any, config: Any) -> dict[str, Tensor]:
    """A weight for every name of such a model; none of them is zero, as the ends of blocks are when a model is new."""
    with torch.device("meta"):
        model = kind.from_config(config) if isinstance(config, dict) else kind(config)
    drawn = torch.Generator().manual_seed(SEED)
    return {name: random_weight(name, tuple(held.shape), drawn) for name, held in sorted(model.named_parameters())}


def random_weight(name: str, shape: tuple[int, ...], drawn: torch.Generator) -> Tensor:
    noise = torch.randn(shape, generator=drawn)
    if "embedding.weight" in name:
        return 0.02 * noise
    if len(shape) == 1:
        return 1 + 0.1 * noise if "norm" in name and name.endswith("weight") else 0.05 * noise
    strength = next((value for part, value in STRENGTHS.items() if part in name), 1.0)
    return strength * noise / noise[0].numel()**0.5


NAMED: dict[str, Callable[..., Path]] = {
    "tiny-sd1": write_sd1, "tiny-sd2": write_sd2, "tiny-sd2-eps": partial(write_sd2, prediction="eps"),
    "tiny-xl": write_sdxl, "tiny-xl-v": partial(write_sdxl, prediction="v", markers=("v_pred",)),
    "tiny-xl-zsnr": partial(write_sdxl, prediction="v", markers=("v_pred", "ztsnr")),
}


def write_named(folder: Path, name: str) -> Path:
    """One of NAMED, where it is not yet there."""
    path = folder / f"{name}.safetensors"
    return path if path.exists() else NAMED[name](folder, name=name)


if __name__ == "__main__":
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    for known in NAMED:
        print(write_named(Path(sys.argv[1]), known))
