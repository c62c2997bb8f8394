"""The names under which programs keep a LoRA's layers, and files in those layouts."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..export import lora
from ..export.lora_names import PEFT
from ..families.family import Family
from ..support.disk import write_text
from . import combine, keys, made
from .arithmetic import DOWN, UP, factors, is_product, shape_of
from .new_file import NewFile, new_file, require_free
from .progress import Tool, counted_off
from .source import AdapterFile, FileProblem, Tensors, opened

PARTS = {"unet": "unet", "te1": "text_encoder", "te2": "text_encoder_2"}  # diffusers' names of a model's parts
COMFY_TEXT = {"sd1": {"te1": "clip_l"}, "sd2": {"te1": "clip_h"}, "sdxl": {"te1": "clip_l", "te2": "clip_g"}}
A, B = "lora_A.weight", "lora_B.weight"
WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"  # of a folder as PEFT has it


@dataclass(frozen=True)
class Layout:
    """title: as people call it. suffix: of its files. plain: whether it holds LoRA alone, two matrices a layer."""

    title: str
    name: Callable[[str, Family], str]  # of a layer, given its common key
    suffix: str = ".safetensors"
    plain: bool = False
    folder: bool = False  # whether it is a folder of files


def kohya_name(key: str, family: Family) -> str:
    return keys.file_key(key, family)


def diffusers_name(key: str, family: Family) -> str:
    return f"{PARTS[keys.part_of(key)]}.{keys.path_of(key)}"


def comfy_name(key: str, family: Family) -> str:
    if keys.part_of(key) == "unet":
        return f"diffusion_model.{keys.compvis_path(key, family)}"
    return f"text_encoders.{COMFY_TEXT[family.name][keys.part_of(key)]}.transformer.{keys.path_of(key)}"


def peft_name(key: str, family: Family) -> str:
    return PEFT + keys.path_of(key)


LAYOUTS: Mapping[str, Layout] = {
    "kohya": Layout("kohya's scripts and every WebUI", kohya_name),
    "pt": Layout("AUTOMATIC1111's .pt", kohya_name, suffix=".pt"),
    "comfyui": Layout("ComfyUI", comfy_name),
    "diffusers": Layout("diffusers", diffusers_name, plain=True),
    "peft": Layout("PEFT, a folder for each part of the model", peft_name, plain=True, folder=True),
}


@dataclass(frozen=True)
class Conversion:
    """What is told. precision: a key of lora.DTYPES; "": as the file."""

    path: Path
    out: Path
    layout: str = "kohya"
    precision: str = ""
    overwrite: bool = False


def convert(given: Conversion) -> Tool[list[Path]]:
    """Writes the file, or PEFT's folders; the result is the paths. Raises FileProblem, SaveError."""
    layout = LAYOUTS[given.layout]
    with opened(given.path) as file:
        if layout.plain:
            require_plain(file, layout)
        dtype = combine.dtype_of(given.precision, [file], file.layers, given.out)
        written = []
        for out_path, layers in files_of(layout, file, given):
            yield from write_layout(file, layers, out_path, layout, dtype)
            written.append(out_path)
        return written


def require_plain(file: AdapterFile, layout: Layout) -> None:
    """Raises FileProblem where a layer is of another kind than LoRA, which this layout has no names for."""
    for key in file.layers:
        if UP not in file.names[key] or "dora_scale" in file.names[key] or lora.BIAS_DIFFERENCE in file.names[key]:
            raise FileProblem(f"{file.path.name} holds more than plain LoRA ({key}: "
                              f"{', '.join(sorted(file.names[key]))}), and the layout of {layout.title} holds nothing "
                              "else. Resize it to a rank first, which makes a LoRA of it.")


def files_of(layout: Layout, file: AdapterFile, given: Conversion) -> Iterator[tuple[Path, list[str]]]:
    """The files to write, with their layers. Raises FileProblem where one is in the way."""
    if not layout.folder:
        if given.out.suffix.lower() != layout.suffix:
            raise FileProblem(f"Files in this layout end in {layout.suffix}. Call it {given.out.stem}{layout.suffix}.")
        require_free(given.out, given.overwrite, given.path)
        yield given.out, file.layers
        return
    for part, name in PARTS.items():
        layers = [key for key in file.layers if keys.part_of(key) == part]
        if layers:
            folder = given.out.with_suffix("") if given.out.suffix == layout.suffix else given.out
            path = folder / name / WEIGHTS
            require_free(path, given.overwrite, given.path)
            yield path, layers


def write_layout(file: AdapterFile, layers: list[str], path: Path, layout: Layout, dtype: torch.dtype) -> Tool[None]:
    family = file.family
    ranks = widest_ranks(file, layers) if layout.plain and not layout.folder else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        out = stack.enter_context(new_file(path, dtype))
        for key, progress in counted_off(layers):
            write_layer(out, layout.name(key, family), key, file, layout, ranks)
            yield progress
        if ranks:
            add_attention(out, file, layers, layout, ranks)
        if not layout.plain:
            combine.add_words(out, [file])
        out.metadata = made.made_header(path, family, [file], "convert", layout=layout.title) | {
            "ss_output_name": (path.parent.parent if layout.folder else path).stem}
    if layout.folder:
        write_text(path.with_name(SETTINGS), json.dumps(peft_settings(file, layers), indent=2))


def add_attention(out: NewFile, file: AdapterFile, layers: list[str], layout: Layout, ranks: dict[str, int]) -> None:
    """A layer that adds nothing, where a text encoder has none of attention: diffusers knows its files by such."""
    for part in ranks:
        own = [key for key in layers if keys.part_of(key) == part]
        first = next((key for key in own if "_mlp_fc" in key), None)
        if first is None or any("_self_attn_" in key for key in own):
            continue
        width = file.shape(first, UP)[0] if first.endswith("fc2") else file.shape(first, DOWN)[1]
        name = layout.name(f"{keys.prefix_of(first)}_text_model_encoder_layers_0_self_attn_out_proj", file.family)
        out.add(f"{name}.{A}", torch.zeros(ranks[part], width))
        out.add(f"{name}.{B}", torch.zeros(width, ranks[part]))


def write_layer(out: NewFile, name: str, key: str, file: AdapterFile, layout: Layout, ranks: dict[str, int]) -> None:
    tensors = file.tensors(key)
    if not layout.plain:
        out.add_layer(name, tensors)
        return
    down, up = plain_pair(key, tensors, file.family)
    wanted = ranks.get(keys.part_of(key), len(down))
    out.add(f"{name}.{A}", padded(down, 0, wanted))
    out.add(f"{name}.{B}", padded(up, 1, wanted))


def plain_pair(key: str, tensors: Tensors, family: Family) -> tuple[Tensor, Tensor]:
    """(down, up) with the layer's scale in the latter, so that it needs no alpha."""
    if not is_product(tensors):
        raise FileProblem(f"{key} is no plain LoRA.")
    shape = shape_of(key, tensors, family)
    up, down = factors(tensors)
    return down.float().reshape(-1, *shape[1:]), up.float().view(*up.shape, *[1] * (len(shape) - 2))


def widest_ranks(file: AdapterFile, layers: list[str]) -> dict[str, int]:
    """By part, the largest rank of its layers: versions of diffusers differ in how they scale layers of several ranks,
    so all get the same.
    """
    ranks: dict[str, int] = {}
    for key in layers:
        ranks[keys.part_of(key)] = max(ranks.get(keys.part_of(key), 0), file.shape(key, DOWN)[0])
    return ranks


def padded(tensor: Tensor, dim: int, wanted: int) -> Tensor:
    """With zeros up to a rank."""
    missing = wanted - tensor.shape[dim]
    if not missing:
        return tensor
    shape = list(tensor.shape)
    shape[dim] = missing
    return torch.cat([tensor, tensor.new_zeros(shape)], dim=dim)


def peft_settings(file: AdapterFile, layers: list[str]) -> dict[str, object]:
    """What PEFT keeps beside its files."""
    ranks = {keys.path_of(key): file.shape(key, DOWN)[0] for key in layers}
    common = max(ranks.values())
    others = {path: rank for path, rank in ranks.items() if rank != common}
    return {"peft_type": "LORA", "r": common, "lora_alpha": common, "rank_pattern": others, "alpha_pattern": others,
            "target_modules": sorted(ranks), "bias": "none", "lora_dropout": 0.0, "use_dora": False,
            "use_rslora": False, "fan_in_fan_out": False, "inference_mode": True, "base_model_name_or_path": None}

