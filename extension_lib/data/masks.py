"""Masks: which parts of a picture count; a file name-mask.png beside it, white where it counts, or its own
transparency.
"""

from collections.abc import Collection
from pathlib import Path

from PIL import Image

from .beside import file_beside
from .pictures import BROKEN, EXTENSIONS, PictureError, open_picture, upright

SUFFIXES = ("-mask", "-masklabel")  # the second is OneTrainer's
ENDINGS = tuple(suffix + kind for suffix in SUFFIXES for kind in (".png", *sorted(EXTENSIONS - {".png"})))


def masked_stem(stem: str) -> str:
    """The name of the picture whose mask is called so; the same name where that is not a mask's."""
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem


def is_mask(path: Path, pictures: Collection[Path]) -> bool:
    """Whether this file is the mask of a picture beside it. pictures: the paths of all without their endings."""
    return masked_stem(path.stem) != path.stem and path.with_name(masked_stem(path.stem)) in pictures


def mask_file(path: Path) -> Path:
    """Where a picture's mask is: beside it, or in itself."""
    return file_beside(path, ENDINGS) or path


def read_mask(path: Path) -> Image.Image | None:
    """The picture's mask as greyscale, or None when everything counts. Raises PictureError."""
    beside = file_beside(path, ENDINGS)
    try:
        with open_picture(beside or path) as opened:
            opened.seek(0)
            image = upright(opened)
            if beside:
                return image.convert("L")
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                alpha = image.convert("RGBA").getchannel("A")
                return None if alpha.getextrema() == (255, 255) else alpha
    except BROKEN as error:
        raise PictureError(f"The mask of {path.name} cannot be read: {error}.") from error
    return None
