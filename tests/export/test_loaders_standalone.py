"""diffusers' own loader reads our LoRA files: every key finds its layer, every delta is the trained one."""

import pytest
import torch
from helpers import BASE, about, small_run

from extension_lib.export import lora, verify
from extension_lib.methods.adapter import Adapter
from extension_lib.models.diffusers_pipeline import load_pipeline
from extension_lib.support.seeds import generator_for


def diffusers_deltas(path):
    """By key, what diffusers' layers add to their weights."""
    pipeline = load_pipeline(BASE, torch.float32)
    pipeline.load_lora_weights(path)
    found = {}
    for prefix, part in (("lora_unet_", pipeline.unet), ("lora_te_", pipeline.text_encoder)):
        for name, module in part.named_modules():
            if getattr(module, "lora_A", None):
                adapter, = module.lora_A
                inside = "text_model." if prefix == "lora_te_" and not name.startswith("text_model.") else ""
                key = prefix + (inside + name).replace(".", "_")
                found[key] = module.get_delta_weight(adapter).detach().float()
    return found


@pytest.mark.parametrize("precision", verify.TOLERANCE)
def test_diffusers_reads_every_key_as_it_was_trained(tmp_path, model, precision):
    run = small_run(tmp_path, saving={"precision": precision})
    trainable = run.method.attach(model, 0)
    assert isinstance(trainable, Adapter)
    with torch.no_grad():
        for key, module in trainable.modules.items():
            for name, parameter in module.named_parameters():
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator_for(key, name)))
    path = tmp_path / "ghost.safetensors"
    lora.write_adapter(path, trainable, about(run))
    deltas = trainable.deltas()
    trainable.detach()
    assert verify.differences(diffusers_deltas(path), deltas, precision) == []
