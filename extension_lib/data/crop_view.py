"""A picture with what training cuts away, and what its mask leaves out, drawn over it."""

from pathlib import Path

from PIL import Image, ImageDraw

from ..config.run import Run
from .buckets import bucket_of, buckets, kept_part
from .masks import read_mask
from .pictures import load_picture

LONGEST = 480  # pixels of the drawn picture
# how much light is left outside; colour of what does not count; the frame
DIM, TINT, FRAME = 0.3, (214, 40, 110), (255, 255, 255)
COVER = 0.55  # how strongly the tint covers


def draw_crop(path: Path, run: Run) -> tuple[Image.Image, tuple[int, int], bool]:
    """The drawn picture, the size in which it is learned, and whether there is a mask. Raises PictureError."""
    image, mask = load_picture(path), read_mask(path)
    size = bucket_of(*image.size, buckets(run.data.resolution, run.data.buckets))
    part = kept_part(*image.size, size)
    scale = LONGEST / max(image.size)
    small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    if mask is not None:
        covered = Image.blend(small, Image.new("RGB", small.size, TINT), COVER)
        small = Image.composite(small, covered, mask.resize(small.size))
    return draw_frame(small, tuple(side * scale for side in part)), size, mask is not None


def draw_frame(image: Image.Image, part: tuple[float, ...]) -> Image.Image:
    """Darker outside the part (left, top, right, bottom), with a thin line around it."""
    left, top, right, bottom = (round(side) for side in part)
    out = image.point(lambda value: round(value * DIM))
    out.paste(image.crop((left, top, right, bottom)), (left, top))
    ImageDraw.Draw(out).rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=FRAME, width=2)
    return out
