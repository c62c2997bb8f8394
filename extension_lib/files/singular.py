"""Low-rank approximations by singular values, and how many of those to keep."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

COLUMNS = 4096  # of a matrix that are converted to fp64 at once
NOTHING = 1e-9  # a singular value of this share of what it was computed from, in fp64, is rounding
ROUNDED = 3e-8  # the same of a matrix in fp32


@dataclass(frozen=True)
class Keep:
    """How many singular values are kept: at most `rank`, and as few as hold the share `energy` of their squares, or
    make a relative error of at most `error`. With none of them all are.
    """

    rank: int | None = None
    energy: float | None = None
    error: float | None = None

    def count(self, squares: Tensor, floor: float = 0.0) -> int:
        """squares: of the singular values, the largest first. floor: of a singular value that means something."""
        count = int((squares > floor**2).sum())
        rest = squares.sum() - squares.cumsum(0)  # what is left out after so many and one
        shares = (None if self.energy is None else 1 - self.energy, None if self.error is None else self.error**2)
        for share in (share for share in shares if share is not None):
            enough = (rest <= share * squares.sum()).nonzero()
            count = min(count, int(enough[0]) + 1 if len(enough) else count)
        return max(min(count, self.rank or count), 0)


class LowRank(NamedTuple):
    """up (out, r) and down (r, in), fp64; what was left out and what there was, as sums of squares."""

    up: Tensor
    down: Tensor
    dropped: float
    total: float

    @property
    def rank(self) -> int:
        return self.down.shape[0]


def of_matrix(matrix: Tensor, keep: Keep) -> LowRank:
    """The best approximation of (out, in) of the rank that is kept.

    The smaller side's products have the squares of the singular values as eigenvalues; in fp64 that is exact enough.
    """
    wide = matrix.shape[1] >= matrix.shape[0]
    rows = matrix if wide else matrix.T  # the smaller side first
    gram = rows.new_zeros((len(rows), len(rows)), dtype=torch.float64)
    for part in rows.split(COLUMNS, dim=1):
        own = part.double()
        gram.addmm_(own, own.T)
    values, vectors = torch.linalg.eigh(gram)
    squares = values.flip(0).clamp(min=0)
    total = float(squares.sum())
    kept = keep.count(squares, ROUNDED * total**0.5)
    basis = vectors.flip(1)[:, :kept]
    inner = torch.cat([basis.T @ part.double() for part in rows.split(COLUMNS, dim=1)], dim=1)
    root = squares[:kept].clamp(min=1e-300)**0.25  # both sides get half of each singular value
    sides = basis * root, inner / root[:, None]
    up, down = sides if wide else (sides[1].T, sides[0].T)
    return LowRank(up, down, total - float(squares[:kept].sum()), total)


def of_factors(up: Tensor, down: Tensor, keep: Keep = Keep(), size: float | None = None) -> LowRank:
    """The same for the product of (out, r) and (r, in), which is never made.

    size: of what was added up to it, beside which rounding is measured.
    """
    left, upper = torch.linalg.qr(up.double())
    right, lower = torch.linalg.qr(down.double().T)
    u, s, vt = torch.linalg.svd(upper @ lower.T)
    squares, total = s.square(), float(s.square().sum())
    kept = keep.count(squares, NOTHING * (total**0.5 if size is None else size))
    root = s[:kept].sqrt()
    return LowRank(left @ u[:, :kept] * root, root[:, None] * (vt[:kept] @ right.T),
                   total - float(squares[:kept].sum()), total)


def norm_of_product(up: Tensor, down: Tensor) -> float:
    """Of (out, r) times (r, in), without making it."""
    square = ((up.double().T @ up.double()) * (down.double() @ down.double().T)).sum()
    return float(square.clamp(min=0))**0.5
