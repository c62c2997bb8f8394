"""Keys of layers, told without a model: whichever program's, as one; their paths, blocks and kernels."""

import re
from functools import cache

from ..export.lora_names import SECOND_TEXT, TEXT, UNET
from ..families import FAMILIES
from ..families.family import TEXT_BLOCK, Family
from ..models.names import inverted, lora_key, replace_prefix, unet_block, unet_prefixes

# Names in paths that hold the sign by which a key joins them.
NAMES = ("down_blocks", "up_blocks", "mid_block", "transformer_blocks", "conv_in", "conv_out", "conv_norm_out",
         "time_embedding", "add_embedding", "linear_1", "linear_2", "time_emb_proj", "conv_shortcut", "proj_in",
         "proj_out", "to_q", "to_k", "to_v", "to_out", "text_model", "self_attn", "q_proj", "k_proj", "v_proj",
         "out_proj", "layer_norm1", "layer_norm2", "final_layer_norm", "text_projection", "token_embedding",
         "position_embedding")
NAME = re.compile(rf"(?:{'|'.join(sorted(NAMES, key=len, reverse=True))})(?=_|$)|[^_]+")
KERNEL = re.compile(r"_(conv[12]|(down|up)samplers_0_conv|conv_in|conv_out)$")
POINT = re.compile(r"_conv_shortcut$")
ENDS = re.compile(r"_attentions_\d+_proj_(in|out)$")  # convolutions of 1x1, or linear layers, depending on the family


@cache
def from_compvis() -> dict[str, str]:
    """From the beginning of a key with LDM's path to that with diffusers'; no two families contradict each other."""
    paths: dict[str, str] = {}
    for family in FAMILIES:
        paths |= inverted(unet_prefixes(family))
    return {lora_key(UNET, theirs): lora_key(UNET, ours) for theirs, ours in paths.items()}


def common_key(key: str) -> str:
    """A layer's key with diffusers' path, for one with either path."""
    head = key
    while head:
        if head in from_compvis():
            return from_compvis()[head] + key[len(head):]
        head = head.rpartition("_")[0]
    return key


def part_of(key: str) -> str:
    """"unet", "te1" or "te2"."""
    return "te2" if key.startswith(f"{SECOND_TEXT}_") else "te1" if key.startswith(TEXT) else "unet"


def path_of(key: str) -> str:
    """diffusers' or transformers' path of a layer, given its common key."""
    return ".".join(NAME.findall(key.removeprefix(prefix_of(key) + "_")))


def prefix_of(key: str) -> str:
    return next((p for p in (SECOND_TEXT, f"{TEXT}1", TEXT, UNET) if key.startswith(f"{p}_")), "")


def compvis_path(key: str, family: Family) -> str:
    """LDM's path of a layer of the UNet."""
    path = path_of(key)
    return replace_prefix(path, unet_prefixes(family)) or path


def file_key(key: str, family: Family) -> str:
    """A layer's key as kohya's scripts have it in files of this family, given its common key."""
    if part_of(key) == "unet":
        return key if family.lora_names == "diffusers" else lora_key(UNET, compvis_path(key, family))
    if part_of(key) == "te1":
        return key.replace(f"{TEXT}_", f"{family.text_encoders[0].prefix}_", 1)
    return key


def block_of(key: str, family: Family) -> str:
    """The block that a layer belongs to, as people count them."""
    return unet_block(path_of(key), family) if part_of(key) == "unet" else TEXT_BLOCK


def kernel_of(key: str, family: Family) -> tuple[int, ...]:
    """What follows a layer's outputs and inputs in its weight's shape, by its name."""
    if part_of(key) != "unet":
        return ()
    if KERNEL.search(key):
        return 3, 3
    point = POINT.search(key) or ENDS.search(key) and not linear_ends(family)
    return (1, 1) if point else ()


def linear_ends(family: Family) -> bool:
    """Whether transformers in the UNet begin and end with linear layers rather than 1x1 convolutions."""
    return family.name != "sd1"
