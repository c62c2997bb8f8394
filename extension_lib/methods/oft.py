"""OFT: rotates each layer's outputs in small groups, which keeps the angles between them (Qiu et al., 2023,
arXiv:2306.07280).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..model import Layer
from ..settings import option
from ..support.autocast import autocast_off
from .adapter import AdapterSettings, Delta
from .layer import restore_channels, without_bias
from .targets import TARGETS


@dataclass(frozen=True)
class Oft(AdapterSettings):
    """Rotates layer outputs without scaling them, which preserves more of what the model knows. Read by this WebUI,
    reForge and ComfyUI, not by Forge."""

    name: ClassVar[str] = "oft"
    title: ClassVar[str] = "OFT"
    order: ClassVar[int] = 50
    prefers: ClassVar[dict[str, dict[str, Any]]] = {"saving": {"precision": "fp32"}}
    algorithm: ClassVar[str] = "diag-oft"
    multiplies: ClassVar[bool] = True
    dimensions: ClassVar[int] = 3  # of a file's blocks
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)

    unet_rate: float = option(1e-3, "Learning rate of the UNet, the part that draws. OFT tolerates ten times LoRA's "
                              "rate.", min=0.0, max=1.0,
                              label="Learning rate, UNet", small=True)
    text_rate: float = option(2e-4, "Learning rate of the text encoder. 0 does not train it.", min=0.0, max=1.0,
                              label="Learning rate, text encoder", small=True)
    block_size: int = option(16, "How many outputs are rotated together. A larger number learns more and makes larger "
                             "files.", min=2, max=512)
    layers: str = option("attention and MLP", "Which layers are trained.", choices=tuple(TARGETS), label="Layers",
                         advanced=True)

    def path_pattern(self) -> Any:
        return TARGETS[self.layers]

    def make_module(self, layer: Layer) -> nn.Module:
        from lycoris.modules.diag_oft import DiagOFTModule

        return DiagOFTModule(layer.key, layer.module, lora_dim=self.block_size)

    def output_change(self, module: Any, layer: Any, x: Tensor, y: Tensor) -> Tensor:
        """The rotation minus the identity, applied to the output instead of the weight: the same, and much cheaper."""
        groups = without_bias(layer, y).unflatten(-1, (len(module.oft_blocks), -1))
        turned = torch.einsum("knm,...kn->...km", rotation_change(module.oft_blocks).to(groups.dtype), groups)
        return restore_channels(layer, turned.flatten(-2))

    def layer_tensors(self, module: Any) -> dict[str, Tensor]:
        return {"oft_blocks": module.oft_blocks, "alpha": torch.tensor(0.0)}

    @classmethod
    def recognizes(cls, tensors: Mapping[str, Tensor]) -> bool:
        """OFT's blocks are (groups, b, b); BOFT's are (levels, groups, b, b) under the same name."""
        return "oft_blocks" in tensors and tensors["oft_blocks"].dim() == cls.dimensions

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        blocks = tensors["oft_blocks"]
        rows = weight.unflatten(0, (len(blocks), -1))
        return Delta(torch.einsum("knm,kn...->km...", rotation_change(blocks), rows).flatten(0, 1))


def rotation_change(blocks: Tensor) -> Tensor:
    """(..., b, b): the rotations of skew-symmetric parts by Cayley's formula, minus the identity; fp32."""
    with autocast_off(blocks.device):
        skew = blocks.float() - blocks.float().transpose(-1, -2)
        one = torch.eye(skew.shape[-1], device=skew.device)
        return 2 * skew @ torch.linalg.inv(one - skew)  # (1 + Q)(1 - Q)^-1 - 1
