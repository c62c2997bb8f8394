"""The loss of a batch: the error of what was predicted, weighted by noise level and by sample."""

import torch
from torch import Tensor

from ..config.noise import TIMESTEPS, Noise
from .noise import NoisyLatents

TINY = torch.finfo(torch.float32).tiny


# ---- how an error counts; c (b, 1, 1, 1): from where on it counts less


def squared(error: Tensor, c: Tensor) -> Tensor:
    return error.square()


def huber(error: Tensor, c: Tensor) -> Tensor:
    """Pseudo-Huber (Khrapov et al., 2024, arXiv:2403.16728): squared far below c, linear far above."""
    return c * smooth_l1(error, c)


def smooth_l1(error: Tensor, c: Tensor) -> Tensor:
    """Pseudo-Huber divided by c: noise levels with a lower c weigh more, and far above c all weigh the same."""
    return 2 * ((error.square() + c.square()).sqrt() - c)


ERRORS = {"squared": squared, "Huber": huber, "smooth L1": smooth_l1}


# ---- where c holds, by noise level; (b,)


def everywhere(noisy: NoisyLatents, c: float) -> Tensor:
    return torch.full_like(noisy.snr, c)


def exponential(noisy: NoisyLatents, c: float) -> Tensor:
    """Khrapov et al., 2024, arXiv:2403.16728: from 1 without noise to c at the last timestep."""
    return c**(noisy.t / TIMESTEPS)


def by_snr(noisy: NoisyLatents, c: float) -> Tensor:
    """As exponential, by the spread of noise against signal (github.com/kohya-ss/sd-scripts, pull request 1228)."""
    spread = 1 / noisy.snr.clamp(min=TINY).sqrt()
    return (1 - c) / (1 + spread)**2 + c


SCHEDULES = {"constant": everywhere, "exponential": exponential, "snr": by_snr}


# ---- how much a noise level counts; (b,)


def constant(snr: Tensor, prediction: str, gamma: float) -> Tensor:
    return torch.ones_like(snr)


def min_snr(snr: Tensor, prediction: str, gamma: float) -> Tensor:
    """Hang et al., 2023, arXiv:2303.09556: min(snr, gamma) in units of the clean picture's error; for eps 1 where there
    is no signal.
    """
    return snr.clamp(max=gamma) / (snr + 1) if prediction == "v" else snr.clamp(TINY, gamma) / snr.clamp(min=TINY)


def debiased(snr: Tensor, prediction: str, gamma: float) -> Tensor:
    """Yu et al., 2023, arXiv:2310.08442: 1 / sqrt(snr) for eps, snr held between 0.001 and 1000."""
    return 1 / snr.clamp(0.001, 1000).sqrt() if prediction == "eps" else 1 / (snr + 1)


WEIGHTINGS = {"none": constant, "min-snr": min_snr, "debiased": debiased}


def sample_losses(predicted: Tensor, noisy: NoisyLatents, prediction: str, noise: Noise,
                  masks: Tensor | None = None) -> Tensor:
    """(b,) the error of each sample against its target, weighted by its noise level. predicted (b, 4, h, w).

    masks: (b, 1, h, w); the error is then the mean over what counts.
    """
    c = SCHEDULES[noise.huber_schedule](noisy, noise.huber_c).view(-1, 1, 1, 1)
    error = ERRORS[noise.loss](predicted.float() - noisy.target.float(), c)
    if masks is not None:
        error = error * masks / masks.mean(dim=(1, 2, 3), keepdim=True).clamp(min=0.01)
    error = error.mean(dim=(1, 2, 3))
    return error * WEIGHTINGS[noise.weighting](noisy.snr, prediction, noise.min_snr_gamma)
