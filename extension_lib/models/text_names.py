"""Names of a text encoder's tensors in checkpoints: transformers' for CLIP, and OpenCLIP's own."""

import re

from ..export.tensor_part import TRANSPOSED, third
from ..families.family import TextEncoder

LAYER = re.compile(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)$")
PROJECTIONS = ("q_proj", "k_proj", "v_proj")  # in the order in which OpenCLIP's in_proj_weight holds them
IN_LAYER = {"self_attn.out_proj": "attn.out_proj", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
            "layer_norm1": "ln_1", "layer_norm2": "ln_2"}
ELSEWHERE = {"embeddings.token_embedding.weight": "token_embedding.weight",
             "embeddings.position_embedding.weight": "positional_embedding",
             "final_layer_norm.weight": "ln_final.weight", "final_layer_norm.bias": "ln_final.bias",
             "text_projection.weight": f"text_projection{TRANSPOSED}"}


def text_path(name: str) -> str:
    """The path of a text encoder's module in files; transformers 5 leaves out the beginning."""
    return name if name.startswith(("text_model.", "text_projection.")) else f"text_model.{name}"


def checkpoint_name(encoder: TextEncoder, name: str) -> str:
    """What checkpoints call a parameter of transformers' CLIPTextModel; a part of a tensor ends as tensor_part says."""
    path = text_path(name)
    return encoder.checkpoint + (openclip_name(path.removeprefix("text_model.")) if encoder.openclip else path)


def openclip_name(path: str) -> str:
    """OpenCLIP's name of "encoder.layers.0.mlp.fc1.weight" and its like. Raises KeyError."""
    found = LAYER.match(path)
    if not found:
        return ELSEWHERE[path]
    number, module, leaf = found.groups()
    block, projection = f"transformer.resblocks.{number}", module.removeprefix("self_attn.")
    if projection in PROJECTIONS:
        return f"{block}.attn.in_proj_{leaf}{third(PROJECTIONS.index(projection))}"
    return f"{block}.{IN_LAYER[module]}.{leaf}"
