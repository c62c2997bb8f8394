"""LoRA files merged into a model's weights for as long as something is drawn."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from ..export import lora
from ..host import HostError
from ..model import Layer
from .tags import Tag


def deltas(path: Path, layers: list[Layer]) -> dict[str, Tensor]:
    """By key, what the file adds to each layer. Raises HostError for an unreadable file or a key without layer."""
    shapes = {layer.key: layer.shape for layer in layers}
    try:
        found = lora.read(path)
        unmatched = [key for key in found if key not in shapes]
        if unmatched:
            raise HostError(f"{path.name} holds {len(unmatched)} keys that this model has no layer for, such as {unmatched[0]}.")
        return {key: lora.delta(key, tensors, shapes[key]) for key, tensors in found.items()}
    except lora.FormatError as error:
        raise HostError(f"{path.name} cannot be used: {error}") from None


@contextmanager
def merged(layers: list[Layer], files: list[tuple[Path, Tag]]) -> Iterator[None]:
    """Within, the files' deltas are part of the weights; afterwards the weights are bit for bit what they were."""
    by_key = {layer.key: layer for layer in layers}
    kept: dict[str, Tensor] = {}
    try:
        with torch.no_grad():
            for path, tag in files:
                for key, delta in deltas(path, layers).items():
                    factor = tag.unet if by_key[key].part == "unet" else tag.te
                    weight = by_key[key].module.weight
                    if factor:
                        kept.setdefault(key, weight.detach().clone())
                        weight.add_(delta.to(weight.device, weight.dtype), alpha=factor)
        yield
    finally:
        with torch.no_grad():
            for key, weight in kept.items():
                by_key[key].module.weight.copy_(weight)
