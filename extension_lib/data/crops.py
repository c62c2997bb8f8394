"""Crops: how a picture is cut to a size, in the middle or differently each time."""

from random import Random
from typing import NamedTuple

from PIL import Image

from ..config.run import Data
from ..model import Framing
from ..support.seeds import random_for
from .buckets import Size


class Crop(NamedTuple):
    """How a picture is cut."""

    zoom: float = 1.0  # how much larger than it must be to fill the size
    x: float = 0.0  # to the right of the middle, as a share of the size
    y: float = 0.0  # below it
    anywhere: Random | None = None  # decides the place instead

    def corner(self, size: Size, spare: Size) -> Size:
        """Left and top in a picture that is larger than the size by what is spare."""
        if self.anywhere:
            return self.anywhere.randint(0, spare[0]), self.anywhere.randint(0, spare[1])
        return near_middle(self.x * size[0], spare[0]), near_middle(self.y * size[1], spare[1])


MIDDLE = Crop()


def near_middle(moved: float, spare: int) -> int:
    return max(0, min(spare // 2 + round(moved), spare))


def random_crop(data: Data, *key: object) -> Crop:
    """One of the crops that the settings allow; the same for the same key."""
    rng = random_for("zoom", *key)
    x, y = (rng.uniform(-data.random_shift, data.random_shift) for _ in "xy")
    zoom = 1 + max(rng.uniform(0, data.random_scale), 2 * abs(x), 2 * abs(y))  # as far as moving needs, at least
    return Crop(zoom, x, y, random_for("crop", *key) if data.crop == "random" else None)


class Fitted(NamedTuple):
    image: Image.Image
    framing: Framing


def fitted(image: Image.Image, size: Size, crop: Crop = MIDDLE, mirrored: bool = False) -> Fitted:
    """The picture cut to the size's shape and scaled to the size; then mirrored.

    It is cut where whole pixels of the scaled picture would be, but never scaled as a whole: of a thin picture that
    would take more memory than there is.
    """
    scale = crop.zoom * max(size[0] / image.width, size[1] / image.height)
    wide, high = max(size[0], round(image.width * scale)), max(size[1], round(image.height * scale))
    spare = wide - size[0], high - size[1]
    left, top = crop.corner(size, spare)
    across, down = image.width / wide, image.height / high
    box = (left * across, top * down, min((left + size[0]) * across, image.width),
           min((top + size[1]) * down, image.height))
    cut = image.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC, box)
    corner = (top, spare[0] - left if mirrored else left)
    return Fitted(cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else cut,
                  Framing((image.height, image.width), corner, (size[1], size[0])))
