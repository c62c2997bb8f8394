"""LoRA: two low-rank matrices beside each layer of attention and text encoder (Hu et al., 2021, arXiv:2106.09685)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..model import Layer
from ..settings import option
from .adapter import Delta
from .layer import Dropout, drop_channels
from .low_rank import LowRank, delta_with_dora, file_scale, tensors_with_dora, tucker_product
from .targets import TARGETS


@dataclass(frozen=True)
class Lora(LowRank):
    """A small file (10 to 200 MB) that a tag in the prompt adds to a checkpoint. It learns people, things and styles
    from few pictures, can be combined with other files, and its strength can be set in the prompt. The best choice
    to begin with."""

    name: ClassVar[str] = "lora"
    title: ClassVar[str] = "LoRA"
    order: ClassVar[int] = 10
    for_beginners: ClassVar[bool] = True
    signature: ClassVar[str] = "lora_up.weight"
    zero_initialized: ClassVar[tuple[str, ...]] = ("lora_up",)

    layers: str = option("attention and MLP", "Which layers are trained.", choices=tuple(TARGETS)[:2], label="Layers",
                         advanced=True)
    dropout: float = option(0.0, "Share of the learned change that is switched off at random in each step. 0.1 can "
                            "reduce overfitting.",
                            min=0.0, max=0.9, advanced=True)

    def header(self) -> dict[str, Any]:
        return {**super().header(), "ss_network_dropout": self.dropout}

    def rank_and_alpha(self, layer: Layer) -> tuple[int, float]:
        """(rank, alpha) for a layer."""
        return self.rank, self.alpha

    def make_module(self, layer: Layer) -> nn.Module:
        from lycoris.modules.locon import LoConModule

        rank, alpha = self.rank_and_alpha(layer)
        module = LoConModule(layer.key, layer.module, lora_dim=rank, alpha=alpha, bypass_mode=True)
        module.dropout = Dropout(self.dropout)
        module.strength = self.scale(rank, alpha)
        return self.with_dora_scale(module, layer)

    def output_change(self, module: Any, layer: Any, x: Tensor, y: Tensor) -> Tensor:
        return module.dropout(super().output_change(module, layer, x, y))

    def low_rank_change(self, module: Any, layer: Any, x: Tensor) -> Tensor:
        """Multiplies by the two low-rank matrices, without computing the full one."""
        inner = drop_channels(layer, module.lora_down(x), self.rank_dropout)
        return module.lora_up(inner) * module.strength

    def layer_tensors(self, module: Any) -> dict[str, Tensor]:
        down, up = module.lora_down.weight, module.lora_up.weight
        return tensors_with_dora(module, {"lora_down.weight": down, "lora_up.weight": up,
                                          "alpha": torch.tensor(module.strength * len(down))})

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        down, up = tensors["lora_down.weight"], tensors["lora_up.weight"]
        up = up * file_scale(tensors, len(down))  # the smaller of what could be scaled
        if "lora_mid.weight" in tensors:
            product = tucker_product(tensors["lora_mid.weight"], up.flatten(1).T, down.flatten(1))
        else:
            product = up.flatten(1) @ down.flatten(1)
        return delta_with_dora(tensors, product, weight)
