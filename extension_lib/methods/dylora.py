"""DyLoRA: a LoRA trained at all ranks at once (Valipour et al., 2022, arXiv:2210.07558)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model import Layer
from ..settings import SettingError, option
from .adapter import Delta
from .layer import apply_weight, drop_channels
from .lora import Lora
from .low_rank import LowRank
from .targets import TARGETS


@dataclass(frozen=True)
class Dylora(LowRank):
    """A LoRA that can be used at a lower rank, because each step trains only its first directions. The file is an
    ordinary LoRA; in the prompt <lora:name:1:dyn=4> uses its first 4 directions. Needs more steps."""

    name: ClassVar[str] = "dylora"
    title: ClassVar[str] = "DyLoRA"
    order: ClassVar[int] = 80
    signature: ClassVar[str] = ""  # its files are LoRA's
    zero_initialized: ClassVar[tuple[str, ...]] = ("up_list",)

    layers: str = option("attention and MLP", "Which layers are trained.", choices=tuple(TARGETS), label="Layers",
                         advanced=True)
    block_size: int = option(4, "How many directions are trained together. The rank must be a multiple of it.", min=1,
                             max=256)

    def make_module(self, layer: Layer) -> nn.Module:
        from lycoris.modules.dylora import DyLoraModule

        if self.rank % self.block_size:
            raise SettingError(f"method.rank is {self.rank}, but must be a multiple of block_size, {self.block_size}.")
        if self.dora:
            raise SettingError("method.dora is on, but DyLoRA's ranks change in every step and have no one norm. "
                               "Switch it off.")
        return DyLoraModule(layer.key, layer.module, lora_dim=self.rank, alpha=self.alpha, block_size=self.block_size)

    def low_rank_change(self, module: Any, layer: Any, x: Tensor) -> Tensor:
        """While training, uses the blocks up to a random one and trains only that one; otherwise uses all blocks.

        One scale for all ranks.
        """
        last = int(torch.randint(module.block_count, ())) if torch.is_grad_enabled() else module.block_count - 1
        downs, ups = list(module.down_list[:last + 1]), list(module.up_list[:last + 1])
        if torch.is_grad_enabled():
            downs, ups = ([m.detach() for m in some[:-1]] + some[-1:] for some in (downs, ups))
        down, up = torch.cat(downs), torch.cat(ups, dim=1) * self.scale(self.rank, self.alpha)
        inner = drop_channels(layer, apply_weight(layer, x, down.view(len(down), *layer.weight.shape[1:])),
                              self.rank_dropout)
        return F.conv2d(inner, up[..., None, None]) if isinstance(layer, nn.Conv2d) else F.linear(inner, up)

    def layer_tensors(self, module: Any) -> dict[str, Tensor]:
        down, up = torch.cat(list(module.down_list)), torch.cat(list(module.up_list), dim=1)
        shape = module.shape[1:]
        return {
            "lora_down.weight": down.view(len(down),
                                          *shape), "lora_up.weight": up.view(*up.shape, *[1] * (len(shape) - 1)),
            "alpha": torch.tensor(self.scale(self.rank, self.alpha) * self.rank)
        }

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        return Lora.delta(tensors, weight)
