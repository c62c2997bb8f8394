"""Aspect-ratio buckets: every batch holds pictures of one size."""

import math
from functools import lru_cache
from random import Random

from PIL import Image

STEP = 64  # pixels; eight latents, so that every level of the UNet divides evenly
WIDEST = 2.0  # longest side against the resolution
Size = tuple[int, int]  # width and height in pixels


@lru_cache
def buckets(resolution: int, shapes: bool = True) -> tuple[Size, ...]:
    """All sizes (width, height) in steps of 64 with at most about resolution squared pixels; the square is first."""
    side = max(STEP, resolution // STEP * STEP)
    found = {(side, side)}
    if shapes:
        for width in range(STEP, int(WIDEST * side) + 1, STEP):
            height = min(side * side // width, int(WIDEST * side)) // STEP * STEP
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


def fitted(image: Image.Image, size: Size, crop: Random | None = None) -> Image.Image:
    """The picture scaled to cover the size and cut to it: in the middle, or where crop says."""
    scale = max(size[0] / image.width, size[1] / image.height)
    wide, high = max(size[0], round(image.width * scale)), max(size[1], round(image.height * scale))
    resampling = Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC
    image = image.resize((wide, high), resampling) if image.size != (wide, high) else image
    spare_x, spare_y = wide - size[0], high - size[1]
    left, top = (crop.randint(0, spare_x), crop.randint(0, spare_y)) if crop else (spare_x // 2, spare_y // 2)
    return image.crop((left, top, left + size[0], top + size[1]))
