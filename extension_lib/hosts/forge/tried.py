"""What a method would write for a layer, tried on a small one."""

import torch
from torch import Tensor, nn

from ...methods.adapter import AdapterSettings
from ...model import Layer

WIDTH = 16


def layer_tensors(method: AdapterSettings) -> dict[str, Tensor]:
    """A layer's tensors in the method's files, by their names behind its key."""
    kind = nn.LayerNorm if not method.path_pattern().match(ATTENTION) else nn.Linear
    module = kind(WIDTH) if kind is nn.LayerNorm else nn.Linear(WIDTH, WIDTH)
    layer = Layer(ATTENTION, "unet", "MID", module, tuple(module.weight.shape), "x")
    with torch.no_grad():
        return dict(method.layer_tensors(method.make_module(layer)))


ATTENTION = "mid_block.attentions.0.transformer_blocks.0.attn1.to_k"
