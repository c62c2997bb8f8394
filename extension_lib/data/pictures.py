"""Pictures of any size and mode, read as upright RGB."""

import struct
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from ..errors import DarkroomError

EXTENSIONS = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".jfif", ".avif"}
BEHIND = (255, 255, 255)  # what shows through transparent parts
TURNED = {"JPEG", "MPO", "WEBP", "TIFF", "AVIF"}  # formats of cameras; looking for EXIF in a PNG would decode all of it
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)
TRANSPOSED = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
              5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
              8: Image.Transpose.ROTATE_90}  # what brings each orientation upright
# what Pillow raises for a damaged file
BROKEN = (OSError, ValueError, SyntaxError, struct.error, Image.DecompressionBombError)


class PictureError(DarkroomError, ValueError):
    """A picture that cannot be read; the message names it."""


def load_picture(path: Path, enough: int | None = None) -> Image.Image:
    """The picture in RGB, turned upright; transparent parts on white, of an animation the first frame.

    enough: pixels that each side needs at least; a large JPEG is then read smaller than it is, in a fifth of the time.
    Raises PictureError.
    """
    try:
        with Image.open(path) as image:
            image.seek(0)
            if enough:
                image.draft(None, (enough, enough))
            return rgb(upright(image))
    except BROKEN as error:
        raise unreadable(path, error) from error


def upright(image: Image.Image) -> Image.Image:
    """The picture as it was held.

    Its other EXIF is not looked at: Pillow's own way writes it anew, and fails at an odd tag.
    """
    turn = TRANSPOSED.get(orientation(image))
    return image if turn is None else image.transpose(turn)


def orientation(image: Image.Image) -> int:
    """As EXIF numbers it; 1, upright, where that says nothing or cannot be read."""
    if image.format not in TURNED:
        return 1
    try:
        found = image.getexif().get(ORIENTATION)
    except (*BROKEN, TypeError, AttributeError, LookupError):
        return 1
    return found if isinstance(found, int) else 1


def unreadable(path: Path, error: Exception) -> PictureError:
    reason = "it is not a picture, or has an unknown format" if isinstance(error,
                                                                           UnidentifiedImageError) else str(error)
    return PictureError(f"{path.name} cannot be read as a picture: {reason}.")


def rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        image = eight_bit(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        behind = Image.new("RGBA", image.size, (*BEHIND, 255))
        return Image.alpha_composite(behind, image).convert("RGB")
    return image.convert("RGB")


def eight_bit(image: Image.Image) -> Image.Image:
    """16-bit and float greyscale scaled to 8 bits; convert() alone would clip everything bright."""
    values = np.asarray(image).astype(np.float64)
    top = 1.0 if image.mode == "F" else 65535.0 if values.max() > 255 else 255.0
    return Image.fromarray((values * (255 / top)).clip(0, 255).astype(np.uint8))


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height as shown, without decoding the whole picture. Raises PictureError."""
    try:
        with Image.open(path) as image:
            return (image.height, image.width) if orientation(image) in SIDEWAYS else (image.width, image.height)
    except BROKEN as error:
        raise unreadable(path, error) from error
