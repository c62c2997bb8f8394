"""LoHa: the element-wise product of two low-rank matrices (FedPara, Hyeon-Woo et al., 2022, arXiv:2108.06098)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model import Layer
from ..settings import option
from .adapter import Delta
from .layer import apply_weight, drop_channels
from .low_rank import LowRank, delta_with_dora, file_scale, tensors_with_dora, tucker_product


@dataclass(frozen=True)
class Loha(LowRank):
    """The product of two low-rank matrices: a file as small as LoRA's that can reach the square of its rank. Learns
    gently and combines well with other files; good for styles."""

    name: ClassVar[str] = "loha"
    title: ClassVar[str] = "LoHa"
    order: ClassVar[int] = 30
    prefers: ClassVar[dict[str, dict[str, Any]]] = {"saving": {"precision": "fp32"}}
    algorithm: ClassVar[str] = "loha"
    signature: ClassVar[str] = "hada_w1_a"
    zero_initialized: ClassVar[tuple[str, ...]] = ("hada_w2_a",)
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "fp16")

    unet_rate: float = option(2e-4, "Learning rate of the UNet, the part that draws. LoHa tolerates twice LoRA's rate.",
                              min=0.0, max=1.0, label="Learning rate, UNet", small=True)
    rank: int = option(8, "The rank of each pair of matrices; their product has up to the square of it.", min=1, max=64)
    alpha: float = option(4.0, "The learned change is multiplied by alpha / rank.", min=0.01, max=4096.0)

    def make_module(self, layer: Layer) -> nn.Module:
        from lycoris.modules.loha import LohaModule

        module = LohaModule(layer.key, layer.module, lora_dim=self.rank, alpha=self.alpha)
        module.strength = self.scale(self.rank, self.alpha)
        return self.with_dora_scale(module, layer)

    def low_rank_change(self, module: Any, layer: Any, x: Tensor) -> Tensor:
        a1, b1, a2, b2 = module.hada_w1_a, module.hada_w1_b, module.hada_w2_a, module.hada_w2_b
        if isinstance(layer, nn.Linear) and thin_is_cheaper(layer, x.numel() // x.shape[-1], self.rank):
            # (A1 B1) * (A2 B2) is of rank r squared: (A1 with A2, row by row) (B1 with B2, column by column).
            inner = torch.einsum("ri,si->rsi", b1, b2).flatten(0, 1)
            outer = torch.einsum("or,os->ors", a1, a2).flatten(1)
            y = F.linear(F.linear(x, inner), outer * module.strength)
        else:
            y = apply_weight(layer, x, ((a1 @ b1) * (a2 @ b2) * module.strength).view(layer.weight.shape))
        return drop_channels(layer, y, self.rank_dropout)

    def layer_tensors(self, module: Any) -> dict[str, Tensor]:
        """The scale goes into the first matrix: LyCORIS' own loader applies an alpha twice."""
        return tensors_with_dora(
            module, {
                "hada_w1_a": module.hada_w1_a * module.strength, "hada_w1_b": module.hada_w1_b,
                "hada_w2_a": module.hada_w2_a, "hada_w2_b": module.hada_w2_b, "alpha": torch.tensor(float(self.rank))
            })

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        scale = file_scale(tensors, len(tensors["hada_w1_b"]))
        return delta_with_dora(tensors, factor(tensors, 1) * factor(tensors, 2) * scale, weight)


def factor(tensors: dict[str, Tensor], number: int) -> Tensor:
    """The first or second matrix of a file's product, of a convolution perhaps with a core of its own."""
    a, b, core = (tensors.get(f"hada_{name}") for name in (f"w{number}_a", f"w{number}_b", f"t{number}"))
    if a is None or b is None:
        raise KeyError(f"hada_w{number}")
    return a @ b if core is None else tucker_product(core, a, b)


def thin_is_cheaper(layer: nn.Linear, tokens: int, rank: int) -> bool:
    """Counts multiplications: through factors of rank squared, or building the full matrix and applying it."""
    thin = tokens * rank**2 * sum(layer.weight.shape)
    return thin < layer.weight.numel() * (2 * rank + tokens)
