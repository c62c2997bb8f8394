"""Adapters of any kind: a small module per layer, added to the output of the layer's own forward."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor, nn

from ..keyed import seeded
from ..model import Layer
from .base import Group

if TYPE_CHECKING:
    from collections.abc import Callable

# The layers that LoRA files usually hold, by the shape of their keys.
ATTENTION_AND_MLP = re.compile(r"lora_unet_\w+_attentions_\w+_(proj_in|proj_out|to_[qkv]|to_out_0|net_0_proj|net_2)$"
                               r"|lora_te\d?_text_model_encoder_layers_\w+_(self_attn_\w+|mlp_fc[12])$")


class Kind(Protocol):
    """What differs between one adapter and another."""

    def make(self, layer: Layer) -> nn.Module: ...
    def added(self, module: Any, x: Tensor) -> Tensor: ...
    def delta(self, module: Any) -> Tensor: ...


def kind_of_part(part: str) -> str:
    """"unet" or "te": the parts that share a learning rate."""
    return "te" if part.startswith("te") else part


def targets(layers: list[Layer], wanted: re.Pattern[str], rates: Mapping[str, float]) -> list[Layer]:
    """The linear and convolution layers that match and whose part learns at all."""
    return [layer for layer in layers if isinstance(layer.module, (nn.Linear, nn.Conv2d))
            and wanted.match(layer.key) and rates[kind_of_part(layer.part)] > 0]


class Adapter:
    """A trainable: one module per layer, hung on the layer instance's forward. Layers are never replaced."""

    def __init__(self, layers: list[Layer], kind: Kind, rates: Mapping[str, float], seed: int, device: torch.device):
        if not layers:
            raise ValueError("Nothing is trained: all learning rates are 0. Set the UNet's or the text encoder's.")
        self.rates = rates
        self.layers = layers
        self.parts = frozenset(layer.part for layer in layers)
        self.kind = kind
        self.modules: dict[str, nn.Module] = {}
        for layer in layers:
            with seeded(seed, layer.key, devices=[]):
                module = kind.make(layer)
            self.modules[layer.key] = module.to(device=device, dtype=torch.float32).train()
        self.hung = [hang(layer.module, self.adding(self.modules[layer.key])) for layer in layers]

    def adding(self, module: nn.Module) -> "Callable[[Tensor, Tensor], Tensor]":
        return lambda x, y: y + self.kind.added(module, x)

    def groups(self) -> list[Group]:
        by_part: dict[str, list[nn.Parameter]] = {}
        for layer in self.layers:
            by_part.setdefault(kind_of_part(layer.part), []).extend(self.modules[layer.key].parameters())
        return [Group(part, self.rates[part], parameters) for part, parameters in by_part.items()]

    def state_dict(self) -> dict[str, Tensor]:
        return {f"{key}.{name}": tensor for key, module in self.modules.items() for name, tensor in module.state_dict().items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        for key, module in self.modules.items():
            module.load_state_dict({name: state[f"{key}.{name}"] for name in module.state_dict()})

    @torch.no_grad()
    def deltas(self) -> dict[str, Tensor]:
        return {key: self.kind.delta(module).float().cpu() for key, module in self.modules.items()}

    def detach(self) -> None:
        for unhang in reversed(self.hung):
            unhang()
        self.hung = []


def hang(module: nn.Module, then: "Callable[[Tensor, Tensor], Tensor]") -> "Callable[[], None]":
    """Lets then(input, output) make the output of this instance's forward; returns what undoes it.

    The class stays what it is: hosts compare layer types strictly.
    """
    before = module.__dict__.get("forward")
    forward = module.forward
    module.forward = lambda x, *args, **kwargs: then(x, forward(x, *args, **kwargs))

    def undo() -> None:
        if before is None:
            del module.forward
        else:
            module.forward = before
    return undo
