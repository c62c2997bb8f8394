"""GLoRA: a low-rank change of the weight by itself beside one of its own, W A + B (Chavan et al., 2023,
arXiv:2306.07967).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model import Layer
from ..settings import option
from .adapter import Delta
from .layer import drop_channels
from .low_rank import LowRank, delta_with_dora
from .targets import TARGETS


@dataclass(frozen=True)
class Glora(LowRank):
    """LoRA that can also change a layer's input before the layer sees it. Linear layers only. An experiment that
    sometimes learns composition better."""

    name: ClassVar[str] = "glora"
    title: ClassVar[str] = "GLoRA"
    order: ClassVar[int] = 90
    prefers: ClassVar[dict[str, dict[str, Any]]] = {"saving": {"precision": "fp32"}}
    algorithm: ClassVar[str] = "glora"
    multiplies: ClassVar[bool] = True
    signature: ClassVar[str] = "a1.weight"
    zero_initialized: ClassVar[tuple[str, ...]] = ("a2", "b2")
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "fp16")

    layers: str = option("attention and MLP", "Which layers are trained.", choices=tuple(TARGETS)[:2], label="Layers",
                         advanced=True)

    def applies(self, layer: Layer) -> bool:
        """To linear layers only."""
        return isinstance(layer.module, nn.Linear)

    def make_module(self, layer: Layer) -> nn.Module:
        from lycoris.modules.glora import GLoRAModule

        module = GLoRAModule(layer.key, layer.module, lora_dim=self.rank, alpha=self.alpha)
        module.strength = self.scale(self.rank, self.alpha)
        return self.with_dora_scale(module, layer)

    def low_rank_change(self, module: Any, layer: Any, x: Tensor) -> Tensor:
        turned, own = (F.linear(drop_channels(layer, F.linear(x, inner.weight), self.rank_dropout), outer.weight)
                       for inner, outer in ((module.a2, module.a1), (module.b2, module.b1)))
        return (F.linear(turned, layer.weight.to(turned.dtype)) + own) * module.strength

    def layer_tensors(self, module: Any) -> dict[str, Tensor]:
        """The layout that the WebUI reads: older than the one LyCORIS writes since 3.0, its matrices swapped.

        It ignores alpha.
        """
        tensors = {"a1.weight": module.a2.weight * module.strength, "a2.weight": module.a1.weight,
                   "b1.weight": module.b2.weight * module.strength, "b2.weight": module.b1.weight,
                   "alpha": torch.tensor(float(self.rank))}
        return {**tensors, "dora_scale": module.dora_scale} if hasattr(module, "dora_scale") else tensors

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        turned = weight @ tensors["a2.weight"] @ tensors["a1.weight"]
        return delta_with_dora(tensors, tensors["b2.weight"] @ tensors["b1.weight"] + turned, weight)
