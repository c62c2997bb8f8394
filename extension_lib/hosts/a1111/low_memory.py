"""The WebUI's low-memory modes (--medvram, --medvram-sdxl, --lowvram): lifted while its model is trained."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from modules import devices, lowvram
from torch import nn

WRAPPED = ("encode", "decode")  # of the autoencoder, which is not called by its forward


class LowMemory:
    """The hooks that move a model's parts in and out of the device, one at a time, before they compute.

    Training keeps several parts there together, so it moves them itself; drawing is done in the WebUI's own way.
    """

    def __init__(self, sd_model: Any):
        self.sd_model, self.active = sd_model, bool(sd_model.lowvram)
        self.hooks: list[tuple[nn.Module, dict[int, Any]]] = []
        self.wraps: dict[str, Any] = {}
        self.places: list[tuple[torch.Tensor, torch.device]] = []

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Within, all parts are on the CPU at first, and nothing moves them; afterwards each is where it was."""
        if not self.active:
            yield
            return
        held = lowvram.module_in_gpu
        lowvram.send_everything_to_cpu()
        self.places = [(tensor, tensor.device) for tensor in tensors_of(self.sd_model)]
        self.lift()
        try:
            yield
        finally:
            self.put_back()
            if held is not None:
                held.to(devices.device)
            lowvram.module_in_gpu = held

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """While lifted: within, the WebUI moves the parts, as for a picture of txt2img."""
        self.put_back()
        try:
            yield
        finally:
            lowvram.send_everything_to_cpu()
            self.lift()

    def lift(self) -> None:
        self.hooks = [(module, dict(module._forward_pre_hooks)) for module in self.sd_model.modules()
                      if any(map(is_mover, module._forward_pre_hooks.values()))]
        for module, hooks in self.hooks:
            for key in [key for key, hook in hooks.items() if is_mover(hook)]:
                del module._forward_pre_hooks[key]
        autoencoder = self.sd_model.first_stage_model
        self.wraps = {name: vars(autoencoder)[name] for name in WRAPPED if is_mover(vars(autoencoder).get(name))}
        for name, wrap in self.wraps.items():
            setattr(autoencoder, name, inspect.getclosurevars(wrap).nonlocals[f"first_stage_model_{name}"])

    def put_back(self) -> None:
        """Hooks in their order, before those that others have added meanwhile."""
        for tensor, device in self.places:
            if tensor.device != device:
                tensor.data = tensor.data.to(device)
        for module, hooks in self.hooks:
            added = {key: hook for key, hook in module._forward_pre_hooks.items() if key not in hooks}
            module._forward_pre_hooks.clear()
            module._forward_pre_hooks.update({**hooks, **added})
        for name, wrap in self.wraps.items():
            setattr(self.sd_model.first_stage_model, name, wrap)


def is_mover(function: Any) -> bool:
    return getattr(function, "__module__", "") == lowvram.__name__


def tensors_of(module: nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()
