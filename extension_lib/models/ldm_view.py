"""A model of LDM's classes, as A1111 holds it."""

from typing import Any

import torch
from torch import Tensor

from ..families.sd1 import SD1
from ..model import Diffusion
from .names import inverted, replace_prefix, unet_prefixes
from .text_encoder import LoadedTextEncoder
from .view import View


class LdmView(View):
    """sd_model: an ldm LatentDiffusion, with or without the WebUI's wrapping of its text encoder."""

    checkpointed = ("ResBlock", "BasicTransformerBlock")
    text_encoder = LoadedTextEncoder

    def __init__(self, sd_model: Any, device: torch.device, compute: torch.dtype):
        embedder: Any = getattr(sd_model.cond_stage_model, "wrapped", sd_model.cond_stage_model)
        # the other is the last picture's
        schedule = getattr(sd_model, "alphas_cumprod_original", sd_model.alphas_cumprod)
        diffusion = Diffusion(schedule.detach().float().cpu().clone(), sd_model.parameterization)
        encoders = [self.text_encoder(SD1.text_encoders[0], embedder.transformer, embedder.tokenizer)]
        super().__init__(SD1, sd_model.model.diffusion_model, sd_model.first_stage_model, encoders, diffusion,
                         device, compute)
        self.from_ldm = inverted(unet_prefixes(SD1))

    def unet_path(self, name: str) -> str | None:
        return replace_prefix(name, self.from_ldm)

    def compvis_path(self, name: str) -> str:
        return name

    def posterior_mean(self, pixels: Tensor) -> Tensor:
        return self.vae.encode(pixels).mode()

    def call_unet(self, noisy: Tensor, t: Tensor, hidden: Tensor, pooled: Tensor | None,
                  sizes: Tensor | None) -> Tensor:
        return self.unet(noisy, t, context=hidden)
