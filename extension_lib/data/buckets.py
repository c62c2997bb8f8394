"""Aspect-ratio buckets: every batch holds pictures of one size."""

import math
from functools import lru_cache

from ..families.family import PIXELS_PER_LATENT

STEP = 8 * PIXELS_PER_LATENT  # so that every level of the UNet divides evenly
WIDEST = 2.0  # longest side against the resolution
Size = tuple[int, int]  # width and height in pixels


@lru_cache
def buckets(resolution: int, shapes: bool = True) -> tuple[Size, ...]:
    """All sizes (width, height) in steps of 64 whose area is at most the resolution's; the square is first, with the
    side that is nearest.
    """
    area = (resolution + 0.5)**2  # a resolution may be the root of an area, rounded: 627 means 768 x 512
    side = (resolution + STEP // 2) // STEP * STEP
    found = {(side, side)}
    if shapes:
        longest = int(WIDEST * resolution)
        for width in range(STEP, longest + 1, STEP):
            height = min(int(area / width), longest) // STEP * STEP
            if height >= STEP:
                found.update({(width, height), (height, width)})
    return tuple(sorted(found, key=lambda size: (size != (side, side), size)))


def bucket_of(width: int, height: int, sizes: tuple[Size, ...]) -> Size:
    """The size whose shape is nearest; of equal shapes the one with more pixels."""
    shape = math.log(width / height)
    return min(sizes, key=lambda size: (round(abs(math.log(size[0] / size[1]) - shape), 6), -size[0] * size[1]))


def kept_part(width: int, height: int, size: Size) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is left, in the picture's pixels, after its middle was cut to the size's
    shape.
    """
    scale = max(size[0] / width, size[1] / height)
    wide, high = size[0] / scale, size[1] / scale
    return (width - wide) / 2, (height - high) / 2, (width + wide) / 2, (height + high) / 2


def share_kept(width: int, height: int, size: Size) -> float:
    """How much of a picture is left after it was cut to the size's shape, from 0 to 1."""
    left, top, right, bottom = kept_part(width, height, size)
    return (right - left) * (bottom - top) / (width * height)
