"""What the low-rank kinds share: rank, alpha, target layers, dropouts, and DoRA's column norms."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..model import Layer
from ..settings import option
from .adapter import AdapterSettings, Delta, FormatError
from .layer import apply_weight, column_norm, dora_delta, drop_channels
from .targets import TARGETS


@dataclass(frozen=True)
class LowRank(AdapterSettings):
    """Settings of kinds with a rank."""

    # the parameters that start at zero: LoRA+ gives them a higher learning rate
    zero_initialized: ClassVar[tuple[str, ...]]

    rank: int = option(16, "How many directions each layer can learn. A higher rank holds more detail and overfits "
                       "sooner; 8 to 32 suits most subjects.", min=1, max=1024)
    alpha: float = option(8.0, "The learned change is multiplied by alpha / rank. An alpha of half the rank learns "
                          "slowly and steadily, an alpha equal to the rank learns faster.", min=0.01, max=4096.0)
    layers: str = option("attention and MLP", "Which layers are trained. More layers hold more detail and make larger "
                         "files.", choices=tuple(TARGETS),
                         label="Layers")
    rs_lora: bool = option(False, "Divide alpha by the square root of the rank instead of the rank, so that high ranks "
                           "still learn.",
                           label="rs-LoRA", advanced=True)
    dora: bool = option(False, "Train the magnitude and the direction of the weights separately. Slower, sometimes "
                        "more faithful. The WebUI reads such files, diffusers does not.", label="DoRA", advanced=True)
    rank_dropout: float = option(0.0, "Share of the rank that is switched off at random in each step. 0.1 can reduce "
                                 "overfitting.",
                                 min=0.0, max=0.9, advanced=True)
    plus: float = option(1.0, "The matrix that starts at zero gets this many times the learning rate (LoRA+, "
                         "arXiv:2402.12354). 1: one rate for both. With 4 to 16, use a lower learning rate.",
                         min=1.0, max=64.0,
                         label="LoRA+ ratio", advanced=True)

    def safe_precisions(self) -> tuple[str, ...]:
        """The WebUI computes DoRA's norms in the precision of the file, except for a plain LoRA's."""
        return ("fp32",) if self.dora and "bf16" not in self.precisions else self.precisions

    def header(self) -> dict[str, Any]:
        return {**super().header(), "ss_network_dim": self.rank, "ss_network_alpha": self.alpha}

    def network_arguments(self) -> dict[str, Any]:
        return {**super().network_arguments(), "dora_wd": self.dora, "rs_lora": self.rs_lora}

    def rate_ratio(self, name: str) -> float:
        return self.plus if name.split(".")[0] in self.zero_initialized else 1.0

    def path_pattern(self) -> Any:
        return TARGETS[self.layers]

    def scale(self, rank: int, alpha: float) -> float:
        return alpha / (math.sqrt(rank) if self.rs_lora else rank)

    def with_dora_scale(self, module: nn.Module, layer: Layer) -> nn.Module:
        """The module. For DoRA it gets the layer's column norms as one more parameter."""
        if self.dora:
            module.dora_scale = nn.Parameter(column_norm(layer.module.weight.detach().float()))
        return module

    def output_change(self, module: Any, layer: Any, x: Tensor, y: Tensor) -> Tensor:
        if not self.dora:
            return self.low_rank_change(module, layer, x)
        weight = layer.weight.detach().float()
        y = apply_weight(layer, x, self.delta(self.layer_tensors(module), weight).weight.to(x.dtype))
        return drop_channels(layer, y, self.rank_dropout)

    def low_rank_change(self, module: Any, layer: Any, x: Tensor) -> Tensor:
        """What is added to the output, computed in the cheapest way for this kind."""
        raise NotImplementedError


def delta_with_dora(tensors: dict[str, Tensor], delta: Tensor, weight: Tensor) -> Delta:
    """The delta of a file's layer, with DoRA's norms applied if it has them. Raises FormatError."""
    if weight.dim() < 2 or delta.shape not in (weight.shape, weight.flatten(1).shape):
        raise FormatError(f"has the shape {tuple(delta.shape)}, but the layer is {tuple(weight.shape)}")
    delta = delta.reshape(weight.shape)
    return Delta(dora_delta(weight, delta, tensors["dora_scale"]) if "dora_scale" in tensors else delta)


def file_scale(tensors: dict[str, Tensor], rank: int) -> float:
    """What a file's matrices are multiplied by. Raises FormatError."""
    if not rank:
        raise FormatError("is of rank 0: nothing was saved in it")
    return tensors["alpha"].item() / rank if "alpha" in tensors else 1.0


def tucker_product(core: Tensor, out: Tensor, into: Tensor) -> Tensor:
    """(out, in, k, k): the core (r, r, k, k) with the matrices (r, out) and (r, in) on its sides."""
    return torch.einsum("rskl,ro,si->oikl", core, out, into)


def tensors_with_dora(module: Any, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The file's tensors, with DoRA's norms if the module has them."""
    return {**tensors, "dora_scale": module.dora_scale} if hasattr(module, "dora_scale") else tensors
