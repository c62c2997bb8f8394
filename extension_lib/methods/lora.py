"""LoRA: two thin matrices beside each layer of attention and text encoder (Hu et al., 2021, arXiv:2106.09685)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..model import Layer, Model
from ..settings import option
from .base import Trainable

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Lora:
    """A small file (10 to 100 MB) that is added to a checkpoint by a tag in the prompt. Learns people, things and styles
    from few pictures, can be mixed with others, and its strength can be chosen when drawing. The best choice to begin with."""

    name: ClassVar[str] = "lora"
    title: ClassVar[str] = "LoRA"
    order: ClassVar[int] = 10
    product: ClassVar[str] = "lora"
    prefers: ClassVar[dict[str, dict[str, Any]]] = {}

    rank: int = option(16, "How many directions each layer may learn. More can hold more detail and overfits sooner; "
                       "8 to 32 suits most.", min=1, max=1024)
    alpha: float = option(8.0, "What is learned counts alpha / rank times. Half the rank learns calmly, "
                          "as much as the rank more eagerly.", min=0.01, max=4096.0)
    unet_rate: float = option(1e-4, "Learning rate of the part that draws. Too high burns colours, too low learns nothing.",
                              min=0.0, max=1.0, label="Learning rate, UNet", small=True)
    text_rate: float = option(5e-5, "Learning rate of the text encoder. Half of the UNet's is usual; "
                              "0 leaves it as it is and saves memory.", min=0.0, max=1.0,
                              label="Learning rate, text encoder", small=True)
    dropout: float = option(0.0, "Share of what is learned that is left out at random in each step. 0.1 can slow overfitting.",
                            min=0.0, max=0.9, advanced=True)

    def attach(self, model: Model, seed: int) -> Trainable:
        from .adapter import ATTENTION_AND_MLP, Adapter, targets

        rates = {"unet": self.unet_rate, "te": self.text_rate}
        return Adapter(targets(model.layers(), ATTENTION_AND_MLP, rates), self, rates, seed, model.device)

    def make(self, layer: Layer) -> "nn.Module":
        from lycoris.modules.locon import LoConModule

        return LoConModule(layer.key, layer.module, lora_dim=self.rank, alpha=self.alpha, dropout=self.dropout, bypass_mode=True)

    def added(self, module: Any, x: "Tensor") -> "Tensor":
        """What the layer's output gains: through the thin matrices, never building the full one."""
        return module.dropout(module.lora_up(module.lora_down(x)) * module.scale)

    def delta(self, module: Any) -> "Tensor":
        return module.get_diff_weight()[0]
