"""The cheap ways of applying LoHa and LoKr learn what LyCORIS' own modules learn."""

from typing import Any

import pytest
import torch
from torch import nn

from extension_lib.methods.loha import Loha
from extension_lib.methods.lokr import Lokr
from extension_lib.model import Layer

KINDS = {"LoHa": Loha(rank=8, alpha=4.0), "LoKr": Lokr(rank=8, alpha=4.0, factor=4),
         "LoKr, whole": Lokr(rank=8, alpha=4.0, factor=4, full_matrix=True)}
LAYERS = {
    "linear, one token": (lambda: nn.Linear(64, 48), (1, 1, 64)),
    "linear, many tokens": (lambda: nn.Linear(64, 48), (2, 96, 64)),
    "convolution, 3x3": (lambda: nn.Conv2d(32, 16, 3, padding=1), (2, 32, 6, 6)),
    "convolution, 1x1": (lambda: nn.Conv2d(32, 16, 1), (2, 32, 6, 6)),
}


def gradients(output, module, x):
    learned = [p for p in module.parameters() if p.requires_grad]
    return torch.autograd.grad(output.square().mean(), [*learned, x])


@pytest.mark.parametrize("of", LAYERS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_agree_with_lycoris_own_to_1e_4(kind, of):
    torch.manual_seed(0)
    make, shape = LAYERS[of]
    layer, x = make().requires_grad_(False), torch.randn(shape, requires_grad=True)
    method = KINDS[kind]
    module: Any = method.make_module(Layer("layer", "unet", "MID", layer, layer.weight.shape, "layer"))
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    ours = gradients(layer(x) + method.low_rank_change(module, layer, x), module, x)
    module.train()
    module.apply_to()
    theirs = gradients(layer(x), module, x)
    assert all(torch.norm(a - b) <= 1e-4 * torch.norm(b) for a, b in zip(ours, theirs, strict=True))
