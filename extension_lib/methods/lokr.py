"""LoKr: a Kronecker product of a small matrix with a large one, itself of low rank (LyCORIS, arXiv:2309.14859)."""

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
class Lokr(LowRank):
    """A Kronecker product: one pattern repeated over each layer with different strengths. Strong, with small files
    (1 to 10 MB), for things and styles that should be learned faithfully. With full matrices it is close to training
    everything."""

    name: ClassVar[str] = "lokr"
    title: ClassVar[str] = "LoKr"
    order: ClassVar[int] = 40
    prefers: ClassVar[dict[str, dict[str, Any]]] = {"saving": {"precision": "fp32"}}
    algorithm: ClassVar[str] = "lokr"
    signature: ClassVar[str] = "lokr_w"
    zero_initialized: ClassVar[tuple[str, ...]] = ("lokr_w2", "lokr_w2_b")
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "fp16")

    unet_rate: float = option(2e-4, "Learning rate of the UNet, the part that draws. LoKr tolerates twice LoRA's rate.",
                              min=0.0, max=1.0, label="Learning rate, UNet", small=True)
    factor: int = option(8, "Size of the small matrix. 4 to 8 with full matrices is strong; -1 makes both matrices "
                         "about the same size.",
                         min=-1, max=64)
    full_matrix: bool = option(False, "Train the large matrix in full, without a rank.")

    def network_arguments(self) -> dict[str, Any]:
        return {**super().network_arguments(), "factor": self.factor}

    def make_module(self, layer: Layer) -> nn.Module:
        from lycoris.modules.lokr import LokrModule

        module = LokrModule(layer.key, layer.module, lora_dim=self.rank, alpha=self.alpha, factor=self.factor,
                            full_matrix=self.full_matrix)
        module.strength = 1.0 if module.use_w1 and module.use_w2 else self.scale(self.rank, self.alpha)
        return self.with_dora_scale(module, layer)

    def low_rank_change(self, module: Any, layer: Any, x: Tensor) -> Tensor:
        """(small kron large) x: the input's channels as a matrix, multiplied from both sides."""
        small = module.lokr_w1 * module.strength
        if isinstance(layer, nn.Conv2d):
            count, many = len(x), small.shape[1]
            maps = x.reshape(count * many, -1, *x.shape[2:])
            y = self.convolved(module, layer, maps).unflatten(0, (count, many))
            y = torch.einsum("ac,ncbhw->nabhw", small.to(y.dtype), y).flatten(1, 2)
        else:
            rows = x.unflatten(-1, (small.shape[1], -1))
            rows = F.linear(rows, module.lokr_w2) if module.use_w2 else F.linear(F.linear(rows, module.lokr_w2_b),
                                                                                 module.lokr_w2_a)
            y = (small.to(rows.dtype) @ rows).flatten(-2)
        return drop_channels(layer, y, self.rank_dropout)

    def convolved(self, module: Any, layer: nn.Conv2d, maps: Tensor) -> Tensor:
        """The large matrix as a convolution of (n, width, h, w)."""
        if module.use_w2:
            return apply_weight(layer, maps, module.lokr_w2)
        first = module.lokr_w2_b.view(len(module.lokr_w2_b), maps.shape[1], *layer.kernel_size)
        return F.conv2d(apply_weight(layer, maps, first), module.lokr_w2_a[..., None, None])

    def layer_tensors(self, module: Any) -> dict[str, Tensor]:
        """The scale goes into the small matrix: LyCORIS' own loader applies an alpha twice."""
        if module.use_w2:
            large = {"lokr_w2": module.lokr_w2}
        else:
            large = {"lokr_w2_a": module.lokr_w2_a, "lokr_w2_b": module.lokr_w2_b}
        return tensors_with_dora(module, {"lokr_w1": module.lokr_w1 * module.strength, **large,
                                          "alpha": torch.tensor(float(self.rank))})

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        small, rank = matrix_and_rank(tensors, "lokr_w1")
        large, own = matrix_and_rank(tensors, "lokr_w2")
        rank = rank if own is None else own
        scale = 1.0 if rank is None else file_scale(tensors, rank)
        return delta_with_dora(tensors, kronecker_product(small, large, weight) * scale, weight)


def matrix_and_rank(tensors: dict[str, Tensor], name: str) -> tuple[Tensor, int | None]:
    """A matrix that is held whole or as a product, and the product's rank (None when whole)."""
    if name in tensors:
        return tensors[name], None
    a, b = tensors[f"{name}_a"], tensors[f"{name}_b"]
    core = tensors.get(name.replace("w", "t"))
    return a @ b if core is None else tucker_product(core, a, b), len(b)


def kronecker_product(small: Tensor, large: Tensor, weight: Tensor) -> Tensor:
    """The Kronecker product in the shape of a weight; of a convolution only the channels are multiplied."""
    large = large.reshape(weight.shape[0] // len(small), weight.shape[1] // small.shape[1], *weight.shape[2:])
    return torch.einsum("ac,bd...->abcd...", small, large).reshape(weight.shape)
