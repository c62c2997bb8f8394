"""A borrowed model is given back as it was, which is checked; what the host itself changes is its own."""

import pytest
import torch
from torch import nn

from extension_lib.host import HostError
from extension_lib.models.frozen import frozen
from extension_lib.support import autocast


def test_a_weight_that_has_changed_is_told():
    layer = nn.Linear(4, 4)
    with pytest.raises(HostError, match="weights changed"), frozen(layer):
        layer.weight.data[0, 0] += 1


@pytest.mark.parametrize("dtype, to", [(torch.float16, torch.float32), (torch.bfloat16, torch.float32),
                                       (torch.float16, torch.bfloat16)])
def test_a_host_may_widen_its_weights_meanwhile(dtype, to):
    """The WebUI does when a VAE overflows, and with --upcast-sampling in the first step."""
    layer = nn.Linear(4, 4).to(dtype)
    with frozen(layer):
        layer.to(to)
    assert layer.weight.dtype == to


def test_a_widened_weight_that_has_changed_is_told():
    layer = nn.Linear(4, 4).half()
    with pytest.raises(HostError, match="weights changed"), frozen(layer):
        layer.float().weight.data[0, 0] += 1


def test_a_device_without_autocast_is_computed_on_as_it_is(monkeypatch):
    """As torch 2.1 is on Apple's chips."""
    def refuse(device, **_):
        raise RuntimeError(f"User specified an unsupported autocast device_type '{device}'")

    assert autocast.autocast_supported(torch.device("cpu"))
    monkeypatch.setattr(torch, "autocast", refuse)
    assert not autocast.autocast_supported(torch.device("mps"))
    with autocast.autocast_off(torch.device("mps")):
        pass
