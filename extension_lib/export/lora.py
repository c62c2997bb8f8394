"""LoRA files as kohya's scripts and the WebUIs read them."""

from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ..disk import write_bytes
from ..methods.base import Trainable
from . import metadata
from .about import About

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


class FormatError(ValueError):
    """A file that is not what it should be; the message names file and key."""


def write(path: Path, trainable: Trainable, about: About) -> None:
    """Writes the file whole or not at all. Raises SaveError."""
    tensors = saved_form(trainable.state_dict(), DTYPES[about.run.saving.precision])
    about = replace(about, run=replace(about.run, output=replace(about.run.output, name=path.stem)))
    header = metadata.network(about, "networks.lora", {})
    write_bytes(path, save(tensors, metadata.with_hashes(tensors, header)))


def saved_form(state: dict[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Matrices in the file's number format, each alpha a single fp32 number."""
    return {key: tensor.detach().to("cpu", torch.float32 if key.endswith(".alpha") else dtype).contiguous()
            for key, tensor in state.items()}


def read(path: Path) -> dict[str, dict[str, Tensor]]:
    """By layer key, the tensors of that layer. Raises FormatError."""
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{path.name} is not a readable safetensors file: {error}.") from None
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        key, _, rest = name.partition(".")
        layers.setdefault(key, {})[rest] = tensor
    return layers


def delta(key: str, tensors: dict[str, Tensor], shape: tuple[int, ...]) -> Tensor:
    """What one layer's tensors add to its weight, in the weight's shape, fp32. Raises FormatError."""
    try:
        down, up = tensors["lora_down.weight"].float(), tensors["lora_up.weight"].float()
    except KeyError as missing:
        raise FormatError(f"{key} lacks {missing.args[0]}.") from None
    scale = float(tensors["alpha"]) / len(down) if "alpha" in tensors else 1.0
    product = up.flatten(1) @ down.flatten(1)
    if product.numel() != torch.Size(shape).numel():
        raise FormatError(f"{key} has the shape {tuple(product.shape)}, but the layer is {shape}.")
    return product.reshape(shape) * scale
