"""Full: the full difference of every weight, saved in an adapter's file."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..model import Layer
from ..settings import option
from .adapter import AdapterSettings, Delta, FormatError
from .in_bf16 import bf16_option
from .layer import ZeroParameters, apply_weight
from .targets import TARGETS


@dataclass(frozen=True)
class Full(AdapterSettings):
    """Trains the layers in full and saves the difference: what DreamBooth learns, switched on by a tag at any
    strength. The most faithful adapter, with the largest files (1 GB, for Stable Diffusion XL 4 GB) and the most
    memory."""

    name: ClassVar[str] = "full"
    title: ClassVar[str] = "Full (difference)"
    order: ClassVar[int] = 70
    algorithm: ClassVar[str] = "full"
    signature: ClassVar[str] = "diff"
    precisions: ClassVar[tuple[str, ...]] = ("fp32", "fp16")

    unet_rate: float = option(1e-5, "Learning rate of the UNet, the part that draws. A tenth of LoRA's rate, because "
                              "every weight is trained.",
                              min=0.0, max=1.0, label="Learning rate, UNet", small=True)
    text_rate: float = option(2e-6, "Learning rate of the text encoder. 0 does not train it.", min=0.0, max=1.0,
                              label="Learning rate, text encoder", small=True)
    layers: str = option("attention and MLP", "Which layers are trained.", choices=tuple(TARGETS), label="Layers",
                         advanced=True)
    bf16: bool = bf16_option

    @property
    def rounded(self) -> bool:
        return self.bf16

    def path_pattern(self) -> Any:
        return TARGETS[self.layers]

    def make_module(self, layer: Layer) -> nn.Module:
        bias = {} if layer.module.bias is None or layer.fused else {"bias": layer.module.bias.shape}
        return ZeroParameters(weight=layer.shape, **bias)

    def output_change(self, module: Any, layer: Any, x: Tensor, y: Tensor) -> Tensor:
        bias = getattr(module, "bias", None)
        return apply_weight(layer, x, module.weight.to(x.dtype), None if bias is None else bias.to(x.dtype))

    def layer_tensors(self, module: Any) -> dict[str, Tensor]:
        """A difference of the bias only if the layer has a bias: otherwise the WebUI would crash while drawing."""
        return {"diff": module.weight, **({"diff_b": module.bias} if hasattr(module, "bias") else {})}

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        if "diff" not in tensors:  # ComfyUI writes a bias alone
            return Delta(torch.zeros_like(weight, device=tensors["diff_b"].device), tensors["diff_b"])
        if tensors["diff"].shape != weight.shape:
            raise FormatError(f"has the shape {tuple(tensors['diff'].shape)}, but the layer is {tuple(weight.shape)}")
        return Delta(tensors["diff"], tensors.get("diff_b"))
