"""Convolutions in Tucker's form, as LyCORIS writes them: read as LyCORIS reads them."""

import pytest
import torch

from extension_lib.export.lora import adapter_delta
from extension_lib.support.seeds import generator_for

KEY = "lora_unet_down_blocks_0_resnets_0_conv1"


@pytest.mark.parametrize("kind, tensor", [("locon", "lora_mid.weight"), ("loha", "hada_t1"), ("lokr", "lokr_t2")])
def test_a_tucker_form_adds_what_lycoris_adds(model, kind, tensor):
    from lycoris.modules.locon import LoConModule
    from lycoris.modules.loha import LohaModule
    from lycoris.modules.lokr import LokrModule

    layer = next(layer for layer in model.layers() if layer.key == KEY)
    made = {"locon": LoConModule, "loha": LohaModule, "lokr": LokrModule}[kind]
    module = made(KEY, layer.module, lora_dim=3, alpha=3, use_tucker=True)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator_for(name)))
        wanted = module.get_diff_weight()[0].reshape(layer.shape)
        tensors = {name: t.detach() for name, t in module.state_dict().items() if name != "scalar"}
        found = adapter_delta(KEY, tensors, layer.module.weight.float()).weight
    assert tensor in tensors and torch.allclose(found, wanted, rtol=1e-4, atol=1e-4)
