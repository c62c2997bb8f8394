"""Pictures of any size, mode and format, read as upright sRGB."""

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH

from ..errors import DarkroomError
from ..setup.picture_readers import reader_for
from .colours import in_srgb

EXTENSIONS = {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jxl",
              ".heic", ".heif", ".hif"}
NOT_READ = {".psd", ".psb", ".xcf", ".kra", ".clip", ".svg", ".eps", ".ai", ".pdf", ".ico", ".tga", ".dds", ".exr",
            ".hdr", ".jp2", ".j2k", ".ppm", ".pgm", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".raf",
            ".rw2"}
MOST_PIXELS = 150_000_000  # as the largest cameras have; reading takes up to 12 bytes for each
BEHIND = (255, 255, 255)  # what shows through transparent parts
ORIENTATION, SIDEWAYS = 0x0112, (5, 6, 7, 8)
TRANSPOSED = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
              5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
              8: Image.Transpose.ROTATE_90}  # what brings each orientation upright
# what Pillow and its plugins raise for a damaged file
BROKEN = (OSError, ValueError, SyntaxError, RuntimeError, EOFError, struct.error, zlib.error, TypeError, AttributeError,
          LookupError, ArithmeticError, AssertionError, MemoryError, Image.DecompressionBombError)


class PictureError(DarkroomError, ValueError):
    """A picture that cannot be read; the message names it."""


def load_picture(path: Path, enough: int | None = None) -> Image.Image:
    """The picture in sRGB, turned upright; transparent parts on white, of an animation the first frame.

    enough: pixels that each side needs at least; a large JPEG is then read smaller than it is, in a fifth of the time.
    Raises PictureError.
    """
    try:
        with open_picture(path) as image:
            image.seek(0)
            if enough:
                image.draft(None, (enough, enough))
            return rgb(upright(image))
    except BROKEN as error:
        raise unreadable(path, error) from error


def open_picture(path: Path) -> Image.Image:
    """The picture as Pillow opens it, not decoded yet. Raises PictureError, or one of BROKEN."""
    image = identified(path)
    if image.width * image.height > MOST_PIXELS:
        image.close()
        raise PictureError(f"{path.name} has {image.width}×{image.height} pixels, more than can be read. Save it "
                           "smaller.")
    return image


def identified(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except UnidentifiedImageError:
        reader = reader_for(path)
        if reader is None:
            raise
        if not reader.is_ready():
            raise PictureError(f"{path.name} is a {reader.title} picture, which needs the package {reader.package}. "
                               "Install it with the button under the pictures, or save this one as PNG.") from None
        return Image.open(path)


def upright(image: Image.Image) -> Image.Image:
    """The picture as it was held, decoded.

    Its other EXIF is not looked at: Pillow's own way writes it anew, and fails at an odd tag.
    """
    image.load()  # a PNG may say behind its pixels how it is turned
    turn = None if image.format == "TIFF" else TRANSPOSED.get(orientation(image))  # Pillow has turned a TIFF
    return image if turn is None else image.transpose(turn)


def orientation(image: Image.Image) -> int:
    """As EXIF numbers it; 1, upright, where that says nothing or cannot be read."""
    try:
        found = Image.Image.getexif(image).get(ORIENTATION)  # a PNG's own getexif decodes all of it
    except BROKEN:
        return 1
    return found if isinstance(found, int) else 1


def unreadable(path: Path, error: Exception) -> PictureError:
    if isinstance(error, PictureError):
        return error
    unknown = isinstance(error, UnidentifiedImageError)
    reason = "it is not a picture, or has an unknown format" if unknown else str(error) or type(error).__name__
    return PictureError(f"{path.name} cannot be read as a picture: {' '.join(reason.split()).rstrip('.')}.")


def rgb(image: Image.Image) -> Image.Image:
    """In as few copies as can be: the largest pictures take half a gigabyte each time."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I") or image.mode == "F":
        image = eight_bit(image)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return on_white(in_mode("RGBA", image), profile)
    return in_mode("RGB", in_srgb(image if image.mode in ("L", "CMYK") else image.convert("RGB"), profile))


def on_white(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        colours = in_mode("RGBA", in_srgb(image.convert("RGB"), profile))
        colours.putalpha(image.getchannel("A"))
        image = colours
    return Image.alpha_composite(Image.new("RGBA", image.size, (*BEHIND, 255)), image).convert("RGB")


def in_mode(mode: str, image: Image.Image) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)


def eight_bit(image: Image.Image) -> Image.Image:
    """16-bit and float greyscale scaled to 8 bits; convert() alone would clip everything bright."""
    values = np.asarray(image).astype(np.float64)
    top = 1.0 if image.mode == "F" else 65535.0 if values.max() > 255 else 255.0
    return Image.fromarray((values * (255 / top)).clip(0, 255).astype(np.uint8))


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height as shown, without decoding the whole picture. Raises PictureError."""
    try:
        with open_picture(path) as image:
            if image.format == "PNG" and "exif" not in image.info and says_more_behind(path):
                image.load()
            width, height = size_in_file(image)
            return (height, width) if orientation(image) in SIDEWAYS else (width, height)
    except BROKEN as error:
        raise unreadable(path, error) from error


def size_in_file(image: Image.Image) -> tuple[int, int]:
    """Before it is turned. Pillow's size of a TIFF is that of the turned picture, sooner or later by its version."""
    tags = getattr(image, "tag_v2", None)
    return image.size if tags is None else (tags[IMAGEWIDTH], tags[IMAGELENGTH])


def says_more_behind(path: Path) -> bool:
    """Whether a PNG has EXIF or text behind its pixels, which Pillow reads only after all of them."""
    with open(path, "rb") as file:
        file.seek(8)
        behind = False
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            behind = behind or kind == b"IDAT"
            if behind and kind in (b"eXIf", b"iTXt", b"zTXt"):
                return True
            file.seek(length + 4, 1)
    return False
