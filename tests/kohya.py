"""A random LoRA for a tiny checkpoint, named by kohya's rules rather than by our own code."""

import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from extension_lib.models.names import inverted, replace_prefix, unet_prefixes

RANK, ALPHA = 4, 2.0
TRANSFORMERS = re.compile(r"(.*\.(?:proj_in|proj_out|to_[qkv]|to_out\.0|ff\.net\.0\.proj|ff\.net\.2))\.weight")
CLIP = re.compile(r"(encoder\.layers\.\d+\.(?:self_attn\.(?:[qkv]|out)_proj|mlp\.fc[12]))\.weight")
OPEN_CLIP = re.compile(r"transformer\.resblocks\.(\d+)\.(attn\.(?:in_proj_|out_proj\.)|mlp\.(?:c_fc|c_proj)\.)weight")
SD2_LAYER = re.compile(r"cond_stage_model\.model\.transformer\.resblocks\.(\d+)\.")
LEAVES = {"attn.out_proj.": "self_attn_out_proj", "mlp.c_fc.": "mlp_fc1", "mlp.c_proj.": "mlp_fc2"}


def lora_for(checkpoint: Path, family, path: Path) -> dict[str, Tensor]:
    """Writes a LoRA of every attention and MLP; returns by the layer's key what it adds to the weight."""
    drawn = torch.Generator().manual_seed(5)
    file, deltas = {}, {}
    for key, shape in sorted(kohya_layers(load_file(checkpoint), family).items()):
        down = torch.randn(RANK, *shape[1:], generator=drawn) / 8
        up = torch.randn(shape[0], RANK, *shape[2:], generator=drawn) / 8
        file.update({f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up, f"{key}.alpha": torch.tensor(ALPHA)})
        deltas[key] = (up.flatten(1) @ down.flatten(1)).reshape(shape) * ALPHA / RANK
    save_file(file, path)
    return deltas


def kohya_layers(tensors: dict[str, Tensor], family) -> dict[str, tuple[int, ...]]:
    """The key and shape of each layer that kohya's scripts train by default."""
    layers: dict[str, tuple[int, ...]] = {}
    for name, tensor in tensors.items():
        shape = tuple(tensor.shape)
        if name.startswith("model.diffusion_model.") and (found := TRANSFORMERS.fullmatch(name)):
            layers[unet_key(found[1].removeprefix("model.diffusion_model."), family)] = shape
        for start, prefix in text_prefixes(tensors).items():
            if name.startswith(start):
                layers.update(text_layers(prefix, name.removeprefix(start), shape))
    return {key: shape for key, shape in layers.items() if not key.startswith(unread_layer(tensors))}


def unread_layer(tensors: dict[str, Tensor]) -> str:
    """The beginning of the keys of Stable Diffusion 2's last text layer, which kohya's scripts do not load."""
    numbers = [int(found[1]) for name in tensors if (found := SD2_LAYER.match(name))]
    return f"lora_te_text_model_encoder_layers_{max(numbers)}_" if numbers else "-"


def text_prefixes(tensors: dict[str, Tensor]) -> dict[str, str]:
    xl = any(name.startswith("conditioner.") for name in tensors)
    return {"conditioner.embedders.0.": "lora_te1", "conditioner.embedders.1.": "lora_te2"} if xl else {
        "cond_stage_model.": "lora_te"}


def unet_key(path: str, family) -> str:
    """Stable Diffusion 1's and 2's have diffusers' paths, SDXL's those in checkpoints."""
    if family.levels == 4:
        path = str(replace_prefix(path, inverted(unet_prefixes(family))))
    return f"lora_unet_{path}".replace(".", "_")


def text_layers(prefix: str, path: str, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    path = path.removeprefix("transformer.text_model.").removeprefix("model.")
    if found := CLIP.fullmatch(path):
        return {f"{prefix}_text_model_{found[1].replace('.', '_')}": shape}
    if found := OPEN_CLIP.fullmatch(path):
        layer = f"{prefix}_text_model_encoder_layers_{found[1]}"
        if found[2] == "attn.in_proj_":
            return {f"{layer}_self_attn_{part}_proj": (shape[0] // 3, shape[1]) for part in "qkv"}
        return {f"{layer}_{LEAVES[found[2]]}": shape}
    return {}
