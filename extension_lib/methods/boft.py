"""BOFT: OFT whose groups are mixed in the pattern of a butterfly, level by level (Liu et al., 2024,
arXiv:2311.06243).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..model import Layer
from ..settings import option
from .adapter import Delta
from .layer import apply_weight, restore_channels, without_bias
from .oft import Oft, rotation_change


@dataclass(frozen=True)
class Boft(Oft):
    """OFT with smaller groups on several levels, so that every output is mixed with every other. Finer, and slower."""

    name: ClassVar[str] = "boft"
    title: ClassVar[str] = "BOFT"
    order: ClassVar[int] = 60
    algorithm: ClassVar[str] = "boft"
    dimensions: ClassVar[int] = 4

    block_size: int = option(8, "How many outputs are rotated together on each level. A layer that cannot be divided "
                             "into groups of this size takes the nearest size that fits.", min=2, max=256)

    def select_layers(self, layers: list[Layer]) -> list[Layer]:
        """Layers with an odd number of outputs have no butterfly and are not trained."""
        return [layer for layer in super().select_layers(layers) if layer.shape[0] % 2 == 0]

    def make_module(self, layer: Layer) -> nn.Module:
        from lycoris.modules.boft import ButterflyOFTModule

        return ButterflyOFTModule(layer.key, layer.module, lora_dim=group_size(layer.shape[0], self.block_size))

    def output_change(self, module: Any, layer: Any, x: Tensor, y: Tensor) -> Tensor:
        """Rotates whichever has fewer columns: the weight (which needs one more product) or the layer's output."""
        weight = layer.weight.detach()
        if y.numel() // len(weight) > weight[0].numel():
            return apply_weight(layer, x, butterfly(module.oft_blocks, weight.float(), exact=False).to(x.dtype))
        rows = without_bias(layer, y).movedim(-1, 0)
        turned = butterfly(module.oft_blocks, rows, exact=False)
        return restore_channels(layer, turned.movedim(0, -1))

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        return Delta(butterfly(tensors["oft_blocks"], weight) - weight)


def group_size(outputs: int, wanted: int) -> int:
    """Outputs in a group: even, in a power of two of groups; the largest up to `wanted`, else the smallest of all."""
    sizes = [outputs // 2**level for level in range(outputs.bit_length()) if outputs % 2 ** (level + 1) == 0]
    return max((size for size in sizes if size <= wanted), default=min(sizes))


def butterfly(blocks: Tensor, rows: Tensor, exact: bool = True) -> Tensor:
    """(out, ...): rows rotated at each level of (levels, groups, b, b). Without exact: only the change of the rows.

    The change is summed level by level, so that blocks of zero change exactly nothing.
    """
    half, gained = blocks.shape[-1] // 2, torch.zeros_like(rows)
    for level, own in enumerate(blocks):
        reach = 2**level * half
        now = pair_rows(rows + gained, reach).unflatten(0, (-1, blocks.shape[-1]))
        change = torch.einsum("bij,bj...->bi...", rotation_change(own).to(now.dtype), now).flatten(0, 1)
        gained = gained + unpair_rows(change, reach)
    return rows + gained if exact else gained


def pair_rows(rows: Tensor, reach: int) -> Tensor:
    """Moves rows that are `reach` apart next to each other: (c g k) to (c k g), with g = 2."""
    return rows.unflatten(0, (-1, 2, reach)).transpose(1, 2).flatten(0, 2)


def unpair_rows(rows: Tensor, reach: int) -> Tensor:
    return rows.unflatten(0, (-1, reach, 2)).transpose(1, 2).flatten(0, 2)
