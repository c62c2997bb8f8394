"""A few layers' worth of every kind of adapter, from numbers that depend on their names alone."""

from pathlib import Path

import torch
from eager import EAGER, method_of

from extension_lib import methods
from extension_lib.export.lora import tensors_in_precision
from extension_lib.methods.adapter import AdapterSettings, lazy_deltas
from extension_lib.support.seeds import generator_for

FOLDER = Path(__file__).parent / "golden" / "adapters"
KEYS = ("lora_unet_down_blocks_0_attentions_0_proj_in",
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k",
        "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_ff_net_2", "lora_unet_down_blocks_0_resnets_0_conv1",
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj", "lora_te_text_model_encoder_layers_0_mlp_fc2",
        "lora_unet_down_blocks_0_resnets_0_norm1")
WAYS = [way for way in EAGER if issubclass(methods.all_methods()[way.partition(",")[0]], AdapterSettings)]


def file_of(way: str) -> Path:
    return FOLDER / f"{way.replace(', ', '-').replace(' ', '-')}.safetensors"


@torch.no_grad()
def made(way, model):
    """(the file's tensors, the deltas that were trained) of this way."""
    kind = method_of(way)
    assert isinstance(kind, AdapterSettings)
    tensors, deltas = {}, {}
    for layer in kind.select_layers([layer for layer in model.layers() if layer.key in KEYS]):
        module = kind.make_module(layer)
        for name, parameter in module.named_parameters():
            if name != "dora_scale":
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator_for(way, layer.key, name)))
            else:
                parameter.mul_(1.05)
        saved = kind.layer_tensors(module)
        tensors.update({f"{layer.key}.{name}": t for name, t in saved.items()})
        trained = kind.delta({n: t.float() for n, t in saved.items()}, layer.module.weight.float())
        deltas.update(lazy_deltas({layer.key: lambda trained=trained: trained}))
    return tensors_in_precision(tensors, torch.float32), deltas
