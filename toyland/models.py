"""The shapes of toyland's base: Stable Diffusion 1's topology, small."""

import json
from pathlib import Path
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel

CONFIG = Path(__file__).parent / "base"  # the diffusers-format folder that is committed
LATENT_SCALE = 0.18215


def config(part: str) -> dict:
    return json.loads((CONFIG / part / "config.json").read_text(encoding="utf-8"))


def vae() -> Any:
    return AutoencoderKL.from_config(config("vae"))


def unet() -> nn.Module:
    return UNet2DConditionModel.from_config(config("unet"))


def text_encoder() -> nn.Module:
    return CLIPTextModel(CLIPTextConfig(**config("text_encoder")))
