"""The loss of a batch: squared error, weighted by noise level and by sample."""

import torch
from torch import Tensor

from ..config.run import Noise

TINY = torch.finfo(torch.float32).tiny


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


def sample_losses(predicted: Tensor, target: Tensor, snr: Tensor, prediction: str, noise: Noise,
                  masks: Tensor | None = None) -> Tensor:
    """(b,) the error of each sample, weighted by its noise level. predicted and target (b, 4, h, w); snr (b,).

    masks: (b, 1, h, w); the error is then the mean over what counts.
    """
    error = (predicted.float() - target.float()).square()
    if masks is not None:
        error = error * masks / masks.mean(dim=(1, 2, 3), keepdim=True).clamp(min=0.01)
    error = error.mean(dim=(1, 2, 3))
    return error * WEIGHTINGS[noise.weighting](snr, prediction, noise.min_snr_gamma)
