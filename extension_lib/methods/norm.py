"""Norm: only the scales and shifts of the model's normalization layers."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ..model import Layer
from ..settings import option
from .adapter import AdapterSettings, Delta
from .layer import ZeroParameters
from .targets import NORMS


@dataclass(frozen=True)
class Norm(AdapterSettings):
    """Trains only the scale and the shift of the normalization layers: tiny files, for colours, contrast and light
    styles."""

    name: ClassVar[str] = "norm"
    title: ClassVar[str] = "Norm"
    order: ClassVar[int] = 120
    # The WebUI adds a file in fp16 in fp16, which rounds a model's fp32 weights; in fp32 it is still tiny.
    prefers: ClassVar[dict[str, dict[str, Any]]] = {"saving": {"precision": "fp32"}}
    algorithm: ClassVar[str] = "norm"
    signature: ClassVar[str] = "w_norm"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "fp16")

    unet_rate: float = option(1e-3, "Learning rate of the UNet, the part that draws. Ten times LoRA's rate, because so "
                              "few weights are trained.",
                              min=0.0, max=1.0, label="Learning rate, UNet", small=True)
    text_rate: float = option(2e-4, "Learning rate of the text encoder. 0 does not train it.", min=0.0, max=1.0,
                              label="Learning rate, text encoder", small=True)

    def path_pattern(self) -> Any:
        return NORMS

    def applies(self, layer: Layer) -> bool:
        return not layer.openclip

    def make_module(self, layer: Layer) -> nn.Module:
        return ZeroParameters(w_norm=layer.shape, b_norm=layer.shape)

    def output_change(self, module: Any, layer: Any, x: Tensor, y: Tensor) -> Tensor:
        scale, shift = module.w_norm.to(x.dtype), module.b_norm.to(x.dtype)
        if isinstance(layer, nn.GroupNorm):
            return F.group_norm(x, layer.num_groups, scale, shift, layer.eps)
        return F.layer_norm(x, layer.normalized_shape, scale, shift, layer.eps)

    def layer_tensors(self, module: Any) -> dict[str, Tensor]:
        return {"w_norm": module.w_norm, "b_norm": module.b_norm}

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        return Delta(tensors["w_norm"], tensors["b_norm"])
