"""Which layers an adapter is attached to: by the pattern of their keys and by their block."""

import re
from collections.abc import Mapping

from ..model import Layer
from ..settings import SettingError

ATTENTION = r"lora_unet_\w+_attentions_\w+_(to_[qkv]|to_out_0)$|lora_te\d?_text_model_encoder_layers_\w+_self_attn_\w+$"
MLP = (r"lora_unet_\w+_attentions_\w+_(proj_in|proj_out|net_0_proj|net_2)$"
       r"|lora_te\d?_text_model_encoder_layers_\w+_mlp_fc[12]$")
CONVOLUTIONS = r"lora_unet_\w+_(resnets_\d+_(conv1|conv2|conv_shortcut|time_emb_proj)|(down|up)samplers_0_conv)$"
ENDS = r"lora_unet_(conv_in|conv_out|time_embedding_linear_[12])$"
TARGETS = {
    "attention": re.compile(ATTENTION),
    "attention and MLP": re.compile(f"{ATTENTION}|{MLP}"),
    "with convolutions": re.compile(f"{ATTENTION}|{MLP}|{CONVOLUTIONS}"),
    "everything": re.compile(f"{ATTENTION}|{MLP}|{CONVOLUTIONS}|{ENDS}"),
}
# The WebUI never maps the last norm of UNet and text encoder.
NORMS = re.compile(r"lora_unet_(?!conv_norm_out)\w+_norm\d?$|lora_te\d?_text_model_encoder_layers_\w+_layer_norm[12]$")
KEYS_AND_VALUES = re.compile(r"lora_unet_\w+_(to_k|to_v|net_2)$"
                             r"|lora_te\d?_text_model_encoder_layers_\w+_(k_proj|v_proj|mlp_fc2)$")
BLOCKS = ("BASE", *(f"IN{n:02d}" for n in range(12)), "MID", *(f"OUT{n:02d}" for n in range(12)), "OUT")


def rate_group(part: str) -> str:
    """"unet" or "te": the parts that share a learning rate."""
    return "te" if part.startswith("te") else part


def block_of(key: str) -> str:
    """The block of the UNet that a LoRA key belongs to: IN04, MID, OUT11, or BASE for the text encoder."""
    if match := re.match(r"lora_unet_(down|up)_blocks_(\d+)_(\w+?)_(\d+)", key):
        side, level, what, j = match[1], int(match[2]), match[3], int(match[4])
        if side == "down":
            return f"IN{3 * level + (3 if what == 'downsamplers' else 1 + j):02d}"
        return f"OUT{3 * level + (2 if what == 'upsamplers' else j):02d}"
    if key.startswith("lora_unet_mid"):
        return "MID"
    return "BASE" if key.startswith("lora_te") else "IN00" if "conv_in" in key or "time_embedding" in key else "OUT"


def parse_blocks(text: str) -> frozenset[str]:
    """"IN01, IN04-IN06 MID" as a set of blocks. Raises SettingError."""
    found: list[str] = []
    for word in re.split(r"[,;\s]+", text.strip().upper()):
        first, dash, last = word.partition("-")
        if not word:
            continue
        if first not in BLOCKS or (dash and (last not in BLOCKS or BLOCKS.index(last) < BLOCKS.index(first))):
            raise SettingError(f"method.skip_blocks has {word!r}, which is no block. Write them as IN01, IN04-IN08, "
                               "MID, OUT11, or BASE for the text encoder.")
        found += BLOCKS[BLOCKS.index(first):BLOCKS.index(last or first) + 1]
    return frozenset(found)


def select_layers(layers: list[Layer], wanted: re.Pattern[str], rates: Mapping[str, float],
                  skip: frozenset[str] = frozenset()) -> list[Layer]:
    """The layers that match, whose part has a learning rate, outside the skipped blocks."""
    return [layer for layer in layers if wanted.match(layer.key) and rates[rate_group(layer.part)] > 0
            and block_of(layer.key) not in skip]
