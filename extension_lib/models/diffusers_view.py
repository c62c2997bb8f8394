"""A model of diffusers' classes, as the standalone host holds it."""

from typing import Any

import torch
from torch import Tensor

from ..families.sd1 import SD1
from ..model import Diffusion
from .names import replace_prefix, unet_prefixes
from .text_encoder import LoadedTextEncoder
from .view import View


class DiffusersView(View):
    """pipeline: a diffusers StableDiffusionPipeline."""

    checkpointed = ("ResnetBlock2D", "BasicTransformerBlock")

    def __init__(self, pipeline: Any, device: torch.device, compute: torch.dtype):
        schedule = pipeline.scheduler
        prediction = {"epsilon": "eps", "v_prediction": "v"}[schedule.config.prediction_type]
        diffusion = Diffusion(schedule.alphas_cumprod.float().cpu().clone(), prediction)
        encoders = [LoadedTextEncoder(SD1.text_encoders[0], pipeline.text_encoder, pipeline.tokenizer)]
        super().__init__(SD1, pipeline.unet, pipeline.vae, encoders, diffusion, device, compute)

    def unet_path(self, name: str) -> str | None:
        return name

    def compvis_path(self, name: str) -> str:
        path = replace_prefix(name, unet_prefixes(self.family))
        if path is None:
            raise KeyError(f"{name} has no name in checkpoints")
        return path

    def posterior_mean(self, pixels: Tensor) -> Tensor:
        return self.vae.encode(pixels).latent_dist.mode()

    def call_unet(self, noisy: Tensor, t: Tensor, hidden: Tensor, pooled: Tensor | None,
                  sizes: Tensor | None) -> Tensor:
        return self.unet(noisy, t, encoder_hidden_states=hidden).sample
