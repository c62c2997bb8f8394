"""A model of diffusers' classes, as the standalone host holds it."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..families.family import Family
from ..model import Diffusion
from .detect import require_trainable
from .diffusers_pipeline import diffusion_of, load_pipeline
from .names import replace_prefix, unet_prefixes
from .text_encoder import LoadedTextEncoder
from .view import View


class DiffusersView(View):
    """pipeline: a diffusers pipeline of the family's class. diffusion: None for the pipeline's own."""

    checkpointed = ("ResnetBlock2D", "BasicTransformerBlock")

    def __init__(self, pipeline: Any, device: torch.device, compute: torch.dtype, family: Family, diffusion: Diffusion):
        self.pipeline = pipeline
        encoders = [LoadedTextEncoder(names, *pair) for names, pair in zip(family.text_encoders, text_parts(pipeline))]
        super().__init__(family, pipeline.unet, pipeline.vae, encoders, diffusion, device, compute)

    def unet_path(self, name: str) -> str | None:
        return name

    def compvis_path(self, name: str) -> str:
        path = replace_prefix(name, unet_prefixes(self.family))
        if path is None:
            raise KeyError(f"{name} has no name in checkpoints")
        return path

    def posterior_mean(self, pixels: Tensor) -> Tensor:
        return self.vae.encode(pixels).latent_dist.mode()

    def decoded(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents).sample

    def call_unet(self, noisy: Tensor, t: Tensor, hidden: Tensor, pooled: Tensor | None,
                  sizes: Tensor | None) -> Tensor:
        told = {} if pooled is None else {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes}}
        return self.unet(noisy, t, encoder_hidden_states=hidden, **told).sample


def text_parts(pipeline: Any) -> list[tuple[Any, Any]]:
    """(text encoder, tokenizer), in the pipeline's order."""
    return [(pipeline.components[f"text_encoder{n}"], pipeline.components[f"tokenizer{n}"])
            for n in ("", "_2") if pipeline.components.get(f"text_encoder{n}") is not None]


def load_view(path: Path, device: torch.device, dtype: torch.dtype) -> DiffusersView:
    """The checkpoint of any family, ready to use. Raises HostError."""
    kind = require_trainable(path)
    pipeline = load_pipeline(path, dtype).to(device)
    return DiffusersView(pipeline, device, dtype, kind.family, diffusion_of(pipeline, kind))
