"""Names of the same layer: diffusers' path, the path in LDM and in checkpoints, and the key in LoRA files."""

import re
from functools import cache

from ..families.family import Family

RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


@cache
def unet_prefixes(family: Family) -> dict[str, str]:
    """From diffusers' path to the compvis path, for every block of the UNet that has a name of its own.

    The numbering is that of openaimodel.UNetModel with two residual blocks.
    """
    last, per_level = family.levels - 1, family.layers + 1
    names = {
        "conv_in": "input_blocks.0.0",
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.attentions.0": "middle_block.1",
    }
    if family.sized:
        names.update({"add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"})
    resnets = {"mid_block.resnets.0": "middle_block.0", "mid_block.resnets.1": "middle_block.2"}
    for level in range(family.levels):
        attends = level in family.attention
        for j in range(family.layers):
            block = f"input_blocks.{1 + per_level * level + j}"
            resnets[f"down_blocks.{level}.resnets.{j}"] = f"{block}.0"
            if attends:
                names[f"down_blocks.{level}.attentions.{j}"] = f"{block}.1"
        if level < last:
            names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{per_level * (level + 1)}.0.op"
        up = last - level
        for j in range(per_level):
            block = f"output_blocks.{per_level * up + j}"
            resnets[f"up_blocks.{up}.resnets.{j}"] = f"{block}.0"
            if attends:
                names[f"up_blocks.{up}.attentions.{j}"] = f"{block}.1"
        if level > 0:
            slot = 2 if attends else 1
            names[f"up_blocks.{up}.upsamplers.0.conv"] = f"output_blocks.{per_level * up + family.layers}.{slot}.conv"
    for theirs, ours in resnets.items():
        names.update({f"{theirs}.{a}": f"{ours}.{b}" for a, b in RESNET.items()})
    return names


def vae_prefixes(levels: int = 4, layers: int = 2) -> dict[str, str]:
    """The same for the autoencoder; its decoder counts levels from the other end."""
    names = {"quant_conv": "quant_conv", "post_quant_conv": "post_quant_conv"}
    for side, blocks, count in (("encoder", "down", layers), ("decoder", "up", layers + 1)):
        names.update({f"{side}.conv_in": f"{side}.conv_in", f"{side}.conv_out": f"{side}.conv_out",
                      f"{side}.conv_norm_out": f"{side}.norm_out"})
        resnets = {f"{side}.mid_block.resnets.{j}": f"{side}.mid.block_{j + 1}" for j in range(2)}
        names.update({f"{side}.mid_block.attentions.0.{a}": f"{side}.mid.attn_1.{b}" for a, b in VAE_ATTENTION.items()})
        for i in range(levels):
            level = i if side == "encoder" else levels - 1 - i
            block = f"{side}.{blocks}_blocks.{i}"
            resnets.update({f"{block}.resnets.{j}": f"{side}.{blocks}.{level}.block.{j}" for j in range(count)})
            if i < levels - 1:
                names[f"{block}.{blocks}samplers.0.conv"] = f"{side}.{blocks}.{level}.{blocks}sample.conv"
        for theirs, ours in resnets.items():
            names.update({f"{theirs}.{leaf}": f"{ours}.{leaf}" for leaf in ("norm1", "conv1", "norm2", "conv2")})
            names[f"{theirs}.conv_shortcut"] = f"{ours}.nin_shortcut"
    return names


def replace_prefix(path: str, prefixes: dict[str, str]) -> str | None:
    """The path with its longest known prefix replaced; None when no prefix fits."""
    head = path
    while head:
        if head in prefixes:
            return prefixes[head] + path[len(head):]
        head = head.rpartition(".")[0]
    return None


def inverted(prefixes: dict[str, str]) -> dict[str, str]:
    return {b: a for a, b in prefixes.items()}


def lora_key(prefix: str, diffusers_path: str) -> str:
    """The key of a layer in a LoRA file, without what follows the first dot."""
    return f"{prefix}_{diffusers_path}".replace(".", "_")


def unet_keys(diffusers_path: str, family: Family) -> tuple[str, str]:
    """The key of a layer of the UNet in LoRA files of this family, and in those of programs with the other paths."""
    compvis_path = replace_prefix(diffusers_path, unet_prefixes(family)) or diffusers_path
    diffusers, compvis = lora_key("lora_unet", diffusers_path), lora_key("lora_unet", compvis_path)
    return (diffusers, compvis) if family.lora_names == "diffusers" else (compvis, diffusers)


def unet_block(diffusers_path: str, family: Family) -> str:
    """The block of the UNet that a layer belongs to, as people count them: IN04, MID, OUT11."""
    compvis_path = replace_prefix(diffusers_path, unet_prefixes(family)) or ""
    if match := re.match(r"(in|out)put_blocks\.(\d+)\.", compvis_path):
        return f"{match[1].upper()}{int(match[2]):02d}"
    return "MID" if compvis_path.startswith("middle_block.") else "OUT" if compvis_path.startswith("out.") else "IN00"
