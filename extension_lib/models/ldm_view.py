"""A model of LDM's or sgm's classes, as A1111 holds it."""

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..families.family import Family, TextEncoder
from ..model import Diffusion
from .names import inverted, replace_prefix, unet_prefixes
from .openclip_encoder import OpenClipTextEncoder
from .text_encoder import LoadedTextEncoder
from .view import View

SIZE_WIDTH = 256  # of the embedding of each number in Condition.sizes


class LdmView(View):
    """sd_model: an ldm LatentDiffusion or an sgm DiffusionEngine, with or without the WebUI's wrapping of its text
    encoders. diffusion: None for the model's own.
    """

    checkpointed = ("ResBlock", "BasicTransformerBlock")
    text_encoder: type[LoadedTextEncoder] = LoadedTextEncoder
    openclip_encoder: type[OpenClipTextEncoder] = OpenClipTextEncoder

    def __init__(self, sd_model: Any, device: torch.device, compute: torch.dtype, family: Family,
                 diffusion: Diffusion | None = None):
        encoders = [self.encoder(names, embedder) for names, embedder in zip(family.text_encoders, embedders(sd_model))]
        super().__init__(family, sd_model.model.diffusion_model, sd_model.first_stage_model, encoders,
                         diffusion or own_diffusion(sd_model), device, compute)
        self.from_ldm = inverted(unet_prefixes(family))

    def encoder(self, names: TextEncoder, embedder: Any) -> LoadedTextEncoder:
        if names.openclip:
            return self.openclip_encoder(names, embedder.model, self.tokenizer_of(embedder))
        return self.text_encoder(names, embedder.transformer, embedder.tokenizer)

    def tokenizer_of(self, embedder: Any) -> Any:
        """One like transformers' for OpenCLIP's embedder."""
        return embedder.tokenizer

    @contextmanager
    def exposed(self) -> Iterator[None]:
        with ExitStack() as undo:
            for encoder in self.text_encoders:
                if isinstance(encoder, OpenClipTextEncoder):
                    undo.enter_context(encoder.exposed(self.before_attention))
            yield

    def before_attention(self, attention: nn.Module) -> None:
        """What the host does before a fused attention computes."""

    def unet_path(self, name: str) -> str | None:
        return replace_prefix(name, self.from_ldm)

    def compvis_path(self, name: str) -> str:
        return name

    def posterior_mean(self, pixels: Tensor) -> Tensor:
        """By the autoencoder's parts: sgm's encode draws from the posterior."""
        return self.vae.quant_conv(self.vae.encoder(pixels)).chunk(2, dim=1)[0]

    def decoded(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents)

    def call_unet(self, noisy: Tensor, t: Tensor, hidden: Tensor, pooled: Tensor | None,
                  sizes: Tensor | None) -> Tensor:
        if pooled is None or sizes is None:
            return self.unet(noisy, t, context=hidden)
        return self.unet(noisy, t, context=hidden, y=torch.cat([pooled, size_vectors(sizes).to(pooled.dtype)], dim=1))


def embedders(sd_model: Any) -> list[Any]:
    """The text encoders' holders, without the WebUI's wrapping."""
    several = getattr(getattr(sd_model, "conditioner", None), "embedders", None)
    return [getattr(one, "wrapped", one) for one in (several or [sd_model.cond_stage_model])]


def own_diffusion(sd_model: Any) -> Diffusion:
    # the other is the last picture's
    schedule = getattr(sd_model, "alphas_cumprod_original", sd_model.alphas_cumprod)
    return Diffusion(schedule.detach().float().cpu().clone(), sd_model.parameterization)


def size_vectors(sizes: Tensor) -> Tensor:
    """(b, 6) pixels to (b, 6 * 256): cosines and sines of each number, as of timesteps."""
    half = SIZE_WIDTH // 2
    rates = torch.exp(-math.log(10000) / half * torch.arange(half, device=sizes.device))
    angles = sizes.float()[..., None] * rates
    return torch.cat([angles.cos(), angles.sin()], dim=2).flatten(1)

