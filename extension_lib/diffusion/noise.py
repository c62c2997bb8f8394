"""The noise process: what is added to latents, and what the model should predict (Ho et al., 2020,
arXiv:2006.11239).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..model import Diffusion
from ..support.seeds import generator_for

LAST = 4.8973451890853435e-08  # of the alphas_cumprod with zero terminal SNR, in the WebUI; 0 cannot be drawn from


class NoisyLatents(NamedTuple):
    """noisy and target (b, 4, h, w); t and snr (b,)."""

    noisy: Tensor
    target: Tensor
    t: Tensor
    snr: Tensor


def add_random_noise(latents: Tensor, diffusion: Diffusion, offset: float, *key: object) -> NoisyLatents:
    """Latents with noise at random timesteps; noise and timesteps depend on the key alone.

    offset: noise that is the same over a whole channel (crosslabs.org/blog/diffusion-with-offset-noise).
    """
    rng = generator_for("noise", *key)
    steps = len(diffusion.alphas_cumprod)
    t = torch.randint(steps, (len(latents),), generator=rng)
    noise = torch.randn(latents.shape, generator=rng)
    if offset:
        noise = noise + offset * torch.randn((*latents.shape[:2], 1, 1), generator=rng)
    return add_noise(latents, noise, t, diffusion)


def add_noise(latents: Tensor, noise: Tensor, t: Tensor, diffusion: Diffusion) -> NoisyLatents:
    """Latents with this noise at these timesteps; noise and t (b,) may lie on the CPU."""
    alpha_bar = diffusion.alphas_cumprod[t].to(latents.device)
    noise = noise.to(latents.device)
    signal, spread = alpha_bar.sqrt().view(-1, 1, 1, 1), (1 - alpha_bar).sqrt().view(-1, 1, 1, 1)
    target = noise if diffusion.prediction == "eps" else signal * noise - spread * latents
    return NoisyLatents(signal * latents + spread * noise, target, t.to(latents.device), alpha_bar / (1 - alpha_bar))


def zero_terminal_snr(alphas_cumprod: Tensor) -> Tensor:
    """The schedule moved so that hardly any signal is left at its end (Lin et al., 2023, arXiv:2305.08891)."""
    signal = alphas_cumprod.sqrt()
    first, last = signal[0], signal[-1]
    moved = ((signal - last) * (first / (first - last)))**2
    moved[-1] = LAST
    return moved
