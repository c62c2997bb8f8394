"""Weights in bf16: an optimiser sees them in fp32 for the time of a step, then they are rounded stochastically.

Rounding up or down with the probabilities that keep the mean lets changes add up that are smaller than bf16 can hold
(Gupta et al., 2015, arXiv:1502.02551; Zamirai et al., 2020, arXiv:2010.06192).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..support.seeds import seed_from

LOST = 16  # the bits of fp32 that bf16 does not have
PER_DRAW = 64 // LOST


class RoundedWeight:
    """seen: what an optimiser knows in place of a weight in bf16; it takes no memory but within a step."""

    def __init__(self, weight: nn.Parameter, name: str):
        self.weight, self.name = weight, name
        self.empty = torch.zeros((), device=weight.device).expand(weight.shape)
        self.seen = nn.Parameter(self.empty)

    @contextmanager
    def in_fp32(self, seed: int, step: int) -> Iterator[None]:
        """Within, seen has the weight's values and its gradient; afterwards the weight has what became of them."""
        assert self.weight.grad is not None
        self.seen.data, self.seen.grad = self.weight.detach().float(), self.weight.grad.float()
        self.weight.grad = None
        try:
            yield
            self.weight.copy_(rounded(self.seen.detach(), "rounding", seed, step, self.name))
        finally:
            self.seen.data, self.seen.grad = self.empty, None


def rounded(values: Tensor, *key: object) -> Tensor:
    """fp32 values that bf16 can hold, in place of these. The key decides which are rounded up."""
    bits = values.view(torch.int32)
    bits.add_(random_bits(values, *key)).add_(1 << LOST - 1).bitwise_and_(-1 << LOST)
    return values


def random_bits(like: Tensor, *key: object) -> Tensor:
    """As many numbers from -32768 to 32767, drawn where they are needed: on a card in another order than on a CPU."""
    draws = torch.empty(-(-like.numel() // PER_DRAW), dtype=torch.int64, device=like.device)
    place = "cpu" if like.is_meta else like.device
    draws.random_(-2**63, None, generator=torch.Generator(place).manual_seed(seed_from(*key)))
    return draws.view(torch.int16)[:like.numel()].view(like.shape)
