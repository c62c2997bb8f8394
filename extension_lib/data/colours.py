"""Colour profiles: what a picture's numbers mean, brought to sRGB, in which models have learned them."""

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms

MODES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # by the colour space of a profile
CLOSE = 2  # of 255; a profile that changes less is sRGB, and pictures stay as they are


@dataclass(frozen=True)
class Conversion:
    """To sRGB from pictures of a mode."""

    mode: str
    transform: Any


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A picture in L, RGB or CMYK with its colours in sRGB; as it is without a profile, or where that does not fit."""
    found = conversion(profile) if profile else None
    if found is None or found.mode not in (image.mode, "RGB"):
        return image
    return ImageCms.applyTransform(image.convert(found.mode), found.transform) or image


@lru_cache(maxsize=4)
def conversion(profile: bytes) -> Conversion | None:
    """What a profile asks for; None where that is nothing, or where it is damaged."""
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = MODES.get(opened.profile.xcolor_space.strip(), "")
        made = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return None if mode == "RGB" and changes(made) <= CLOSE else Conversion(mode, made)


def changes(transform: Any) -> int:
    """By how much a conversion between RGB and RGB changes a colour at most, of 255."""
    steps = np.linspace(0, 255, 6, dtype=np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), -1).reshape(1, -1, 3)
    after = np.asarray(ImageCms.applyTransform(Image.fromarray(colours), transform))
    return int(np.abs(after.astype(int) - colours).max())
