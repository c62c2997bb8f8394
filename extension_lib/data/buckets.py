"""Aspect-ratio buckets: every batch holds pictures of one size."""

import math
from functools import lru_cache
from random import Random
from typing import NamedTuple

from PIL import Image

from ..families.family import PIXELS_PER_LATENT
from ..model import Framing

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


class Fitted(NamedTuple):
    image: Image.Image
    framing: Framing


def fitted(image: Image.Image, size: Size, crop: Random | None = None, mirrored: bool = False) -> Fitted:
    """The picture cut to the size's shape, in the middle or where crop says, and scaled to the size; then mirrored.

    It is cut where whole pixels of the scaled picture would be, but never scaled as a whole: of a thin picture that
    would take more memory than there is.
    """
    scale = max(size[0] / image.width, size[1] / image.height)
    wide, high = max(size[0], round(image.width * scale)), max(size[1], round(image.height * scale))
    spare_x, spare_y = wide - size[0], high - size[1]
    left, top = (crop.randint(0, spare_x), crop.randint(0, spare_y)) if crop else (spare_x // 2, spare_y // 2)
    across, down = image.width / wide, image.height / high
    box = (left * across, top * down, min((left + size[0]) * across, image.width),
           min((top + size[1]) * down, image.height))
    cut = image.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC, box)
    corner = (top, spare_x - left if mirrored else left)
    return Fitted(cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else cut,
                  Framing((image.height, image.width), corner, (size[1], size[0])))
