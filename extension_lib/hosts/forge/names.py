"""What Forge calls the weights of a checkpoint: told without its model, from ours and the checkpoint's header."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import safe_open

from ...families.family import SINGLE_VECTORS, TextEncoder
from ...host import HostError
from ...model import Layer
from ...models.diffusers_view import DiffusersView
from .differences import recognized, title


class Names:
    """Stands for a module of which only its parameters' names and some attributes are asked."""

    def __init__(self, names: Iterable[str], **attributes: Any):
        self.names = list(names)
        for name, value in attributes.items():
            setattr(self, name, value)

    def state_dict(self) -> dict[str, None]:
        return dict.fromkeys(self.names)


def layers_by_name(view: DiffusersView) -> dict[str, Layer]:
    """The view's layers by Forge's path of each."""
    prefixes = {encoder.names.part: f"{clip_name(encoder.names)}.transformer" for encoder in view.text_encoders}
    return {f"diffusion_model.{view.compvis_path(layer.path)}" if layer.part == "unet"
            else f"{prefixes[layer.part]}.{layer.path}": layer for layer in view.layers()}


def clip_name(encoder: TextEncoder) -> str:
    if encoder.vectors != SINGLE_VECTORS:
        return encoder.vectors
    return "clip_h" if encoder.openclip else "clip_l"


def stand_ins(layers: dict[str, Layer], checkpoint: Path) -> tuple[Names, Names]:
    """For Forge's UNet and its text encoders, as its LoRA loader asks them. Raises HostError."""
    known = require_recognized(checkpoint)
    unet = Names(parameters(layers, unet=True), config=known, diffusion_model=SimpleNamespace(config=known.unet_config))
    return unet, Names(parameters(layers, unet=False))


def parameters(layers: dict[str, Layer], unet: bool) -> Iterator[str]:
    for name, layer in layers.items():
        if (layer.part == "unet") == unet:
            yield f"{name}.weight"
            if layer.module.bias is not None:
                yield f"{name}.bias"


def require_recognized(checkpoint: Path) -> Any:
    """Raises HostError for a checkpoint that Forge does not know."""
    if (known := recognized(shapes_in(checkpoint))) is None:
        raise HostError(f"{title()} does not recognise {checkpoint.name}, so it could not use what is learned on it.")
    return known


def shapes_in(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The file's tensors without their numbers."""
    with safe_open(checkpoint, "pt") as file:
        return {key: torch.empty(file.get_slice(key).get_shape(), device="meta") for key in file.keys()}  # noqa: SIM118
