"""A forward that is wrapped on one instance, and put back."""

import torch
from torch import nn

from extension_lib.support.forward import own_forward, wrap_forward


def test_a_wrapped_forward_is_undone_in_layers():
    layer, x = nn.Linear(2, 2), torch.ones(1, 2)
    plain = layer(x)
    inner = wrap_forward(layer, lambda forward: lambda x: forward(x) + 1)
    outer = wrap_forward(layer, lambda forward: lambda x: forward(x) * 2)
    assert torch.equal(layer(x), (plain + 1) * 2)
    outer()
    assert torch.equal(layer(x), plain + 1)
    inner()
    assert own_forward(layer) is None and torch.equal(layer(x), plain)


def test_what_a_host_does_to_the_class_counts_while_an_instance_is_wrapped(monkeypatch):
    layer, x = nn.Linear(2, 2), torch.ones(1, 2)
    wrap_forward(layer, lambda forward: lambda x: forward(x) + 1)
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: torch.zeros(1, 2))
    assert torch.equal(layer(x), torch.ones(1, 2))
