"""A loaded model without its weights: they keep their shapes on torch's meta device, and come back as they were."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..support.meta import META


@contextmanager
def weightless(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Within, the modules hold tensors of the same shapes and types without memory. What is attached to the modules
    stays, and nothing is copied.
    """
    places = [(place, name, tensor) for root in modules for module in root.modules()
              for place in (module._parameters, module._buffers) for name, tensor in place.items()
              if tensor is not None]
    twins = {id(tensor): shape_of(tensor) for _, _, tensor in places}
    try:
        for place, name, tensor in places:
            put(place, name, twins[id(tensor)])
        yield
    finally:
        for place, name, tensor in places:
            put(place, name, tensor)


def put(place: Any, name: str, tensor: Tensor) -> None:
    place[name] = tensor


def shape_of(tensor: Tensor) -> Tensor:
    twin = torch.empty_like(tensor, device=META)
    return nn.Parameter(twin, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else twin


def bytes_of(modules: Iterable[nn.Module], kind: str = "") -> int:
    """Of all weights and buffers, each counted once. kind: only of those on this kind of device, such as "cuda"."""
    tensors = {id(t): t for module in modules for t in (*module.parameters(), *module.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values() if kind in ("", t.device.type))
