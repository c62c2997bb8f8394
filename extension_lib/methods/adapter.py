"""Adapters of any kind: a small module per layer, added to the output of the layer's own forward."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn

from ..errors import DarkroomError
from ..model import Layer, Model
from ..settings import option
from ..support.lazy import LazyTensors
from ..support.seeds import seeded_torch
from . import targets
from .base import Method, NewWord, ParameterGroup, text_rates
from .in_bf16 import to_bf16
from .layer import AttachedToLayers, attach_after, load_tensors
from .product import LORA, Product

BIAS = " bias"  # behind a layer's key: the delta of its bias


class FormatError(DarkroomError, ValueError):
    """Tensors that are not what their format demands; the message names the key."""


class Delta(NamedTuple):
    """What a file adds to a layer's weight and, where it does, to its bias; fp32."""

    weight: Tensor
    bias: Tensor | None = None


@dataclass(frozen=True)
class AdapterSettings(Method):
    """The settings that all kinds of adapters share, and what each kind says of itself."""

    product: ClassVar[Product] = LORA
    algorithm: ClassVar[str] = ""  # LyCORIS' name for it, in ss_network_args; "" for plain LoRA
    # its files are recognized by a tensor whose name starts with this; "" if its files are another kind's
    signature: ClassVar[str] = ""
    multiplies: ClassVar[bool] = False  # whether what its files add depends on the weight it is added to

    unet_rate: float = option(1e-4, "Learning rate of the UNet, the part that draws. Too high distorts colours, too "
                              "low learns nothing.",
                              min=0.0, max=1.0, label="Learning rate, UNet", small=True)
    text_rate: float = option(5e-5, "Learning rate of the text encoder. Half of the UNet's rate is usual; 0 does not "
                              "train it and saves memory.", min=0.0, max=1.0,
                              label="Learning rate, text encoder", small=True)
    text_rate_2: float = option(-1.0, "Learning rate of the second text encoder, which Stable Diffusion XL has. -1: as "
                                "the first.", min=-1.0, max=1.0, label="Learning rate, second text encoder", small=True,
                                advanced=True)
    skip_blocks: str = option("", "Blocks that are not trained: IN01, IN04-IN08, MID, OUT11, BASE for the text "
                              "encoder. The middle blocks hold what a thing is, the outer ones texture and colour.",
                              advanced=True)
    module_dropout: float = option(0.0, "Probability that a layer's adapter is switched off in a step. 0.1 can reduce "
                                   "overfitting.",
                                   min=0.0, max=0.9, advanced=True)

    @property
    def rates(self) -> dict[str, float]:
        return {"unet": self.unet_rate, **text_rates(self.text_rate, self.text_rate_2)}

    def header(self) -> dict[str, Any]:
        arguments = {name: str(value) for name, value in self.network_arguments().items() if value}
        rates = list(dict.fromkeys(text_rates(self.text_rate, self.text_rate_2).values()))
        return {
            "ss_network_module": "lycoris.kohya" if self.algorithm else "networks.lora", "ss_network_args": arguments,
            "ss_unet_lr": self.unet_rate, "ss_text_encoder_lr": rates if len(rates) > 1 else self.text_rate,
            "ss_learning_rate": self.unet_rate
        }

    def network_arguments(self) -> dict[str, Any]:
        """ss_network_args, under LyCORIS' names; what is empty is left out."""
        return {"algo": self.algorithm}

    @classmethod
    def recognizes(cls, tensors: Mapping[str, Tensor]) -> bool:
        return bool(cls.signature) and any(name.startswith(cls.signature) for name in tensors)

    def attach(self, model: Model, seed: int, words: tuple[NewWord, ...] = ()) -> "Adapter":
        return Adapter(self, self.select_layers(model.layers()), seed, model.device)

    def select_layers(self, layers: list[Layer]) -> list[Layer]:
        """The layers that this kind is attached to. Raises SettingError."""
        return [layer for layer in self.wanted_layers(layers) if self.applies(layer)]

    def wanted_layers(self, layers: list[Layer]) -> list[Layer]:
        return targets.select_layers(layers, self.path_pattern(), self.rates, targets.parse_blocks(self.skip_blocks))

    def applies(self, layer: Layer) -> bool:
        """Whether the WebUI applies this kind to such a layer, with these settings."""
        return True

    def left_out(self, layers: list[Layer]) -> list[Layer]:
        return [layer for layer in self.wanted_layers(layers) if layer.openclip and not self.applies(layer)]

    def path_pattern(self) -> Any:
        """The pattern of their paths."""
        raise NotImplementedError

    def rate_ratio(self, name: str) -> float:
        """The factor on the part's learning rate for a parameter of this name."""
        return 1.0

    def make_module(self, layer: Layer) -> nn.Module:
        """New parameters for a layer. They must not change its output yet."""
        raise NotImplementedError

    def output_change(self, module: Any, layer: Any, x: Tensor, y: Tensor) -> Tensor:
        """What is added to the layer's output y for the input x."""
        raise NotImplementedError

    def layer_tensors(self, module: Any) -> dict[str, Tensor]:
        """The file's tensors of one layer."""
        raise NotImplementedError

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        """What one layer's tensors (fp32) of this format add to a weight. Raises FormatError or KeyError."""
        raise NotImplementedError


class Adapter(AttachedToLayers):
    """A trainable: one module per layer, attached to the forward of the layer's instance. Layers are never replaced."""

    def __init__(self, kind: AdapterSettings, layers: list[Layer], seed: int, device: torch.device):
        if not layers:
            raise ValueError("Nothing is trained: all learning rates are 0, or every block is skipped. Set the "
                             "learning rate of the UNet or the text encoder.")
        self.kind, self.layers = kind, layers
        self.parts = frozenset(layer.part for layer in layers)
        self.modules: dict[str, nn.Module] = {}
        for layer in layers:
            with seeded_torch(seed, layer.key, devices=[]):
                module = kind.make_module(layer)
            self.modules[layer.key] = module.to(device=device, dtype=torch.float32).train()
            if kind.rounded:
                to_bf16(module.parameters())
        self.undo_hooks = [attach_after(layer.module, self.output_hook(layer)) for layer in layers]

    def output_hook(self, layer: Layer) -> Callable[[Tensor, Tensor], Tensor]:
        module, kind = self.modules[layer.key], self.kind

        def then(x: Tensor, y: Tensor) -> Tensor:
            if self.silent or kind.module_dropout and torch.is_grad_enabled() and torch.rand(()) < kind.module_dropout:
                return y
            return y + kind.output_change(module, layer.module, x, y)
        return then

    def groups(self) -> list[ParameterGroup]:
        grouped: dict[tuple[str, float], dict[str, nn.Parameter]] = {}
        for layer in self.layers:
            for name, parameter in self.modules[layer.key].named_parameters():
                grouped.setdefault((layer.part, self.kind.rate_ratio(name)), {})[f"{layer.key}.{name}"] = parameter
        return [
            ParameterGroup(part, self.kind.rates[part] * ratio, list(named.values()), names=tuple(named))
            for (part, ratio), named in grouped.items()
        ]

    def state_dict(self) -> dict[str, Tensor]:
        return {
            f"{key}.{name}": parameter
            for key, module in self.modules.items()
            for name, parameter in module.named_parameters()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        load_tensors(self.state_dict(), state)

    @torch.no_grad()
    def file_tensors(self) -> dict[str, Tensor]:
        return {f"{layer.key}.{name}": tensor.detach().float() for layer in self.layers
                for name, tensor in self.kind.layer_tensors(self.modules[layer.key]).items()}

    def deltas(self) -> LazyTensors:
        return lazy_deltas({layer.key: partial(self.delta, layer) for layer in self.layers})

    @torch.no_grad()
    def delta(self, layer: Layer) -> Delta:
        tensors = {name: t.float() for name, t in self.kind.layer_tensors(self.modules[layer.key]).items()}
        device = next(iter(tensors.values())).device  # the layer may wait elsewhere
        return self.kind.delta(tensors, layer.module.weight.detach().to(device).float())


def lazy_deltas(deltas: Mapping[str, Callable[[], Delta]]) -> LazyTensors:
    """Deltas of layers by key, those of biases under "KEY bias", on the CPU.

    Each is made once now, to see whether it can be.
    """
    makers: dict[str, Callable[[], Tensor]] = {}
    for key, delta in deltas.items():
        makers[key] = partial(weight_of, delta)
        if delta().bias is not None:
            makers[key + BIAS] = partial(bias_of, delta)
    return LazyTensors(makers)


def weight_of(delta: Callable[[], Delta]) -> Tensor:
    return delta().weight.cpu()


def bias_of(delta: Callable[[], Delta]) -> Tensor:
    return cast(Tensor, delta().bias).cpu()
