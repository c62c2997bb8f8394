"""LoCon: LoRA for convolutions too (LyCORIS, Yeh et al., 2023, arXiv:2309.14859)."""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from ..model import Layer
from ..settings import option
from .lora import Lora
from .targets import TARGETS


@dataclass(frozen=True)
class Locon(Lora):
    """LoRA that also trains the convolutions, which hold texture: for styles, fabrics, brush strokes. Files are a
    little larger, and every program that reads LoRA reads them."""

    name: ClassVar[str] = "locon"
    title: ClassVar[str] = "LoCon"
    order: ClassVar[int] = 20
    signature: ClassVar[str] = ""  # its files are LoRA's

    layers: str = option("with convolutions", "Which layers are trained.", choices=tuple(TARGETS)[2:], label="Layers",
                         advanced=True)
    conv_rank: int = option(8, "The rank of the convolutions. Half of the other rank or less is usual.", min=1,
                            max=1024, label="Convolution rank")
    conv_alpha: float = option(4.0, "The alpha of the convolutions.", min=0.01, max=4096.0, label="Convolution alpha")

    def network_arguments(self) -> dict[str, Any]:
        return {**super().network_arguments(), "conv_dim": self.conv_rank, "conv_alpha": self.conv_alpha}

    def rank_and_alpha(self, layer: Layer) -> tuple[int, float]:
        wide = isinstance(layer.module, nn.Conv2d) and layer.module.kernel_size != (1, 1)
        return (self.conv_rank, self.conv_alpha) if wide else (self.rank, self.alpha)
