"""Masks: which parts of a picture count; a file name-mask.png beside it, white where it counts, or its own
transparency.
"""

from pathlib import Path

from PIL import Image

from .pictures import BROKEN, EXTENSIONS, PictureError, upright

SUFFIX = "-mask"
KINDS = (".png", *sorted(EXTENSIONS - {".png"}))


def is_mask(path: Path, names: set[str]) -> bool:
    """Whether this file is the mask of another picture in the folder. names: the stems of all of them."""
    return path.stem.endswith(SUFFIX) and path.stem.removesuffix(SUFFIX) in names


def read_mask(path: Path) -> Image.Image | None:
    """The picture's mask as greyscale, or None when everything counts. Raises PictureError."""
    beside = next((mask for kind in KINDS if (mask := path.with_name(f"{path.stem}{SUFFIX}{kind}")).exists()), None)
    try:
        with Image.open(beside or path) as opened:
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
