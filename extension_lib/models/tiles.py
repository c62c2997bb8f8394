"""Encoding a large picture tile by tile: the tiles overlap, and what is made of them fades from one into the next."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..families.family import PIXELS_PER_LATENT

LARGE = 1_500_000  # pixels from which on a picture is cut
TILE, OVERLAP = 1024, 256  # pixels; neighbours have at least so many in common


def is_large(pixels: Tensor) -> bool:
    height, width = pixels.shape[-2:]
    return height * width > LARGE


def encoded_in_tiles(encode: Callable[[Tensor], Tensor], pixels: Tensor) -> Tensor:
    """encode: (b, 3, h, w) to (b, c, h/8, w/8)."""
    height, width = pixels.shape[-2:]
    latents = weights = torch.zeros(())
    for top in starts(height):
        for left in starts(width):
            tile = encode(pixels[..., top:top + TILE, left:left + TILE])
            if not latents.dim():
                size = height // PIXELS_PER_LATENT, width // PIXELS_PER_LATENT
                latents, weights = tile.new_zeros(*tile.shape[:2], *size), tile.new_zeros(size)
            rows, columns = (slice(start // PIXELS_PER_LATENT, start // PIXELS_PER_LATENT + length)
                             for start, length in zip((top, left), tile.shape[-2:]))
            weight = fading(tile.shape[-2], tile)[:, None] * fading(tile.shape[-1], tile)
            latents[..., rows, columns] += tile * weight
            weights[rows, columns] += weight
    return latents / weights


def starts(length: int) -> list[int]:
    """Where tiles begin along a side, evenly, each on a latent."""
    count = max(1, -(-(length - OVERLAP) // (TILE - OVERLAP)))
    steps = (length - TILE) // PIXELS_PER_LATENT
    return [0] if count == 1 else [steps * n // (count - 1) * PIXELS_PER_LATENT for n in range(count)]


def fading(length: int, like: Tensor) -> Tensor:
    """How much each place of a tile counts: the less the nearer it is to an edge."""
    place = torch.arange(1, length + 1, device=like.device, dtype=like.dtype)
    return torch.minimum(place, length + 1 - place).clamp(max=OVERLAP // PIXELS_PER_LATENT)
