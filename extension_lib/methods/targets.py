"""Which layers an adapter is attached to: by the pattern of their paths and by their block."""

import re
from collections.abc import Mapping

from ..families import FAMILIES
from ..model import Layer
from ..settings import SettingError

ATTENTION = r".+\.attentions\..+\.(to_[qkv]|to_out\.0)$|text_model\.encoder\.layers\..+\.self_attn\.\w+$"
MLP = (r".+\.attentions\..+\.(proj_in|proj_out|net\.0\.proj|net\.2)$"
       r"|text_model\.encoder\.layers\..+\.mlp\.fc[12]$")
CONVOLUTIONS = r".+\.(resnets\.\d+\.(conv1|conv2|conv_shortcut|time_emb_proj)|(down|up)samplers\.0\.conv)$"
ENDS = r"(conv_in|conv_out|time_embedding\.linear_[12])$"
TARGETS = {
    "attention": re.compile(ATTENTION),
    "attention and MLP": re.compile(f"{ATTENTION}|{MLP}"),
    "with convolutions": re.compile(f"{ATTENTION}|{MLP}|{CONVOLUTIONS}"),
    "everything": re.compile(f"{ATTENTION}|{MLP}|{CONVOLUTIONS}|{ENDS}"),
}
# The WebUI never maps the last norm of UNet and text encoder.
NORMS = re.compile(r".+\.norm\d?$|text_model\.encoder\.layers\..+\.layer_norm[12]$")
KEYS_AND_VALUES = re.compile(r".+\.(to_k|to_v|net\.2)$|text_model\.encoder\.layers\..+\.(k_proj|v_proj|mlp\.fc2)$")
BLOCKS = max((family.blocks for family in FAMILIES), key=len)  # those of the others are among them


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
    return [layer for layer in layers if wanted.match(layer.path) and rates[layer.part] > 0
            and layer.block not in skip]
