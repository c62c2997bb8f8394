"""Pictures of any size and mode become upright RGB."""

import struct

import numpy as np
import pytest
from PIL import Image

from extension_lib.data.pictures import PictureError, load_picture, picture_size


def save(path, image, **options):
    image.save(path, **options)
    return path


def test_exif_rotation_is_applied_and_counted_in_the_size(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned right by 90 degrees
    path = save(tmp_path / "a.jpg", Image.new("RGB", (40, 20)), exif=exif)
    assert load_picture(path).size == picture_size(path) == (20, 40)


def test_what_is_transparent_becomes_white(tmp_path):
    path = save(tmp_path / "a.png", Image.new("RGBA", (4, 4), (10, 20, 30, 0)))
    assert load_picture(path).getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 0)
    palette.putpalette([200, 0, 0] * 256)
    assert load_picture(save(tmp_path / "b.png", palette, transparency=0)).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    ramp = np.linspace(0, 65535, 64, dtype=np.uint16).reshape(8, 8)
    grey = np.asarray(load_picture(save(tmp_path / "a.png", Image.fromarray(ramp))))[..., 0]
    assert grey.min() == 0 and grey.max() == 255 and abs(int(grey[4, 0]) - 129) < 3


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "P", "LA", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    kind = "jpg" if mode in ("CMYK", "YCbCr") else "png"
    path = save(tmp_path / f"a.{kind}", Image.new("RGB", (8, 8), (200, 30, 60)).convert(mode))
    assert load_picture(path).mode == "RGB"


def test_the_first_frame_of_an_animation_counts(tmp_path):
    frames = [Image.new("RGB", (8, 8), c) for c in ((255, 0, 0), (0, 0, 255))]
    path = save(tmp_path / "a.gif", frames[0], save_all=True, append_images=frames[1:])
    assert load_picture(path).getpixel((0, 0))[0] > 200


def test_a_broken_picture_is_named(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG not really")
    with pytest.raises(PictureError, match="broken.png"):
        load_picture(tmp_path / "broken.png")


def test_a_large_photograph_is_read_smaller_where_that_is_enough(tmp_path):
    Image.new("RGB", (1600, 1200), (200, 100, 50)).save(tmp_path / "a.jpg")
    small = load_picture(tmp_path / "a.jpg", 300)
    assert small.size == (400, 300) and load_picture(tmp_path / "a.jpg").size == (1600, 1200)
    assert load_picture(tmp_path / "a.jpg", 2000).size == (1600, 1200)


@pytest.mark.parametrize("tag", [struct.pack(">HHI4s", 0x011A, 2, 3, b"72"), struct.pack(">HHIhxx", 0x0128, 8, 1, -1)])
def test_a_photo_with_an_odd_tag_is_still_turned_upright(tmp_path, tag):
    """A resolution that is text, or negative: Pillow reads it, and cannot write it."""
    turned = struct.pack(">HHIHxx", 0x0112, 3, 1, 6)
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + turned + tag + b"\0" * 4
    path = save(tmp_path / "a.jpg", Image.new("RGB", (40, 20)), exif=exif)
    assert load_picture(path).size == picture_size(path) == (20, 40)
