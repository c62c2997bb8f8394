"""(IA)3: one factor per row or column of a few layers (Liu et al., 2022, arXiv:2205.05638)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model import Layer
from ..settings import option
from .adapter import AdapterSettings, Delta
from .layer import ZeroParameters, without_bias
from .targets import KEYS_AND_VALUES, TARGETS

# Linear layers only: the WebUI applies the factors of a convolution in another way.
PAPER_LAYERS = "keys, values and MLP"
LAYERS = {PAPER_LAYERS: KEYS_AND_VALUES, "attention": TARGETS["attention"], "attention and MLP": TARGETS["attention "
                                                                                                         "and MLP"],
          "every linear layer": TARGETS["everything"]}


class ScaleFactors(ZeroParameters):
    """One factor, minus one, for every input or output of a layer."""

    def __init__(self, count: int, on_input: bool):
        super().__init__(weight=(count,))
        self.on_input = on_input


@dataclass(frozen=True)
class Ia3(AdapterSettings):
    """Only strengthens or weakens what the model knows already: files of a few hundred kilobytes, for light styles.
    Only this WebUI reads them. Needs high learning rates."""

    name: ClassVar[str] = "ia3"
    title: ClassVar[str] = "(IA)³"
    order: ClassVar[int] = 110
    prefers: ClassVar[dict[str, dict[str, Any]]] = {"saving": {"precision": "fp32"}}
    algorithm: ClassVar[str] = "ia3"
    multiplies: ClassVar[bool] = True
    signature: ClassVar[str] = "on_input"
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)

    unet_rate: float = option(5e-3, "Learning rate of the UNet, the part that draws. (IA)³ needs fifty times LoRA's "
                              "rate.", min=0.0, max=1.0,
                              label="Learning rate, UNet", small=True)
    text_rate: float = option(1e-3, "Learning rate of the text encoder. 0 does not train it.", min=0.0, max=1.0,
                              label="Learning rate, text encoder", small=True)
    layers: str = option(PAPER_LAYERS, "Which layers get factors. The first choice is the paper's; more layers hold "
                         "more.",
                         choices=tuple(LAYERS), label="Layers", advanced=True)

    def path_pattern(self) -> Any:
        return LAYERS[self.layers]

    def applies(self, layer: Layer) -> bool:
        """To linear layers only; to a fused attention only where all four of its layers are in the file."""
        whole = self.layers != PAPER_LAYERS
        return isinstance(layer.module, nn.Linear) and (whole or not layer.fused)

    def make_module(self, layer: Layer) -> nn.Module:
        on_input = layer.path.endswith((".net.2", ".fc2"))
        return ScaleFactors(layer.shape[1 if on_input else 0], on_input)

    def output_change(self, module: Any, layer: Any, x: Tensor, y: Tensor) -> Tensor:
        if module.on_input:
            return F.linear((x * module.weight.to(x.dtype)), layer.weight.to(x.dtype))
        return without_bias(layer, y) * module.weight.to(y.dtype)

    def layer_tensors(self, module: Any) -> dict[str, Tensor]:
        return {"weight": module.weight, "on_input": torch.tensor(int(module.on_input))}

    @staticmethod
    def delta(tensors: dict[str, Tensor], weight: Tensor) -> Delta:
        factors = tensors["weight"]
        return Delta(weight * (factors if tensors["on_input"] else factors[:, None]))
