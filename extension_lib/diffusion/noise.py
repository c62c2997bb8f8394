"""The noise process: what is added to latents, and what the model should predict (Ho et al., 2020,
arXiv:2006.11239).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn.functional import interpolate

from ..config.noise import Noise
from ..model import Diffusion
from ..support.seeds import generator_for

LAST = 4.8973451890853435e-08  # of the alphas_cumprod with zero terminal SNR, in the WebUI; 0 cannot be drawn from


class NoisyLatents(NamedTuple):
    """noisy and target (b, 4, h, w); t and snr (b,)."""

    noisy: Tensor
    target: Tensor
    t: Tensor
    snr: Tensor

    def rows(self, count: int) -> "NoisyLatents":
        """The first of them."""
        return NoisyLatents(*(part[:count] for part in self))


def add_random_noise(latents: Tensor, diffusion: Diffusion, settings: Noise, *key: object,
                     places: Sequence[int] | None = None, count: int = 0) -> NoisyLatents:
    """Latents with noise at random timesteps; noise and timesteps depend on settings, key and number of latents alone.

    places: where these are in a batch of count samples; each has the noise that it has there. None: they are all.
    """
    rng, rows = generator_for("noise", *key), slice(None) if places is None else list(places)
    shape = (len(latents) if places is None else count, *latents.shape[1:])
    t = torch.randint(settings.min_timestep, min(settings.max_timestep, len(diffusion.alphas_cumprod)), shape[:1],
                      generator=rng)
    noise = torch.randn(shape, generator=rng)
    if settings.noise_offset:
        noise = with_offset(noise, settings.noise_offset, rng)
    if settings.multires_levels:
        noise = with_coarser_noise(noise, settings.multires_levels, settings.multires_discount, rng)
    extra = settings.input_perturbation and settings.input_perturbation * torch.randn(shape, generator=rng)[rows]
    return add_noise(latents, noise[rows], t[rows], diffusion, extra)


def with_offset(noise: Tensor, strength: float, rng: Generator) -> Tensor:
    """With noise that is the same over a whole channel (Guttenberg, 2023,
    crosslabs.org/blog/diffusion-with-offset-noise).
    """
    return noise + strength * torch.randn((*noise.shape[:2], 1, 1), generator=rng)


def with_coarser_noise(noise: Tensor, levels: int, discount: float, rng: Generator) -> Tensor:
    """With noise of ever coarser sizes, each weaker than the one before; every sample has a spread of 1 (Whitaker,
    2023, "Multi-Resolution Noise for Diffusion Model Training", on wandb.ai).

    Each size is between a half and a quarter of the one before, so that none is learned as a pattern.
    """
    height, width = noise.shape[2:]
    for level in range(levels):
        shrunk = (2 + 2 * torch.rand(1, generator=rng).item())**level
        size = max(1, int(height / shrunk)), max(1, int(width / shrunk))
        coarse = torch.randn((*noise.shape[:2], *size), generator=rng)
        noise = noise + discount**level * interpolate(coarse, (height, width), mode="bilinear")
        if 1 in size:
            break
    return noise / noise.std(dim=(1, 2, 3), keepdim=True)


def add_noise(latents: Tensor, noise: Tensor, t: Tensor, diffusion: Diffusion,
              extra: Tensor | float = 0.0) -> NoisyLatents:
    """Latents with this noise at these timesteps; noise, extra and t (b,) may lie on the CPU.

    extra: noise that is added too but is no part of what the model should predict, as errors in drawing are none
    (Ning et al., 2023, arXiv:2301.11706).
    """
    alpha_bar = diffusion.alphas_cumprod[t].to(latents.device)
    added, noise = (noise + extra).to(latents.device), noise.to(latents.device)
    signal, spread = alpha_bar.sqrt().view(-1, 1, 1, 1), (1 - alpha_bar).sqrt().view(-1, 1, 1, 1)
    target = noise if diffusion.prediction == "eps" else signal * noise - spread * latents
    return NoisyLatents(signal * latents + spread * added, target, t.to(latents.device), alpha_bar / (1 - alpha_bar))


def zero_terminal_snr(alphas_cumprod: Tensor) -> Tensor:
    """The schedule moved so that hardly any signal is left at its end (Lin et al., 2023, arXiv:2305.08891)."""
    signal = alphas_cumprod.sqrt()
    first, last = signal[0], signal[-1]
    moved = ((signal - last) * (first / (first - last)))**2
    moved[-1] = LAST
    return moved
