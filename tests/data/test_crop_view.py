"""What the page shows of a picture is what training makes of it."""

import numpy as np
import pytest
from PIL import Image

from extension_lib.config.run import Run
from extension_lib.data.buckets import kept_part
from extension_lib.data.crop_view import TINT, draw_crop
from extension_lib.data.crops import fitted

RUN = Run().with_values({"data": {"resolution": 128}})


@pytest.mark.parametrize("width, height", [(300, 128), (128, 300), (256, 256), (201, 333)])
def test_the_part_that_is_kept_is_what_training_cuts_out(width, height):
    ramp = np.stack([
        np.tile(np.linspace(0, 255, width), (height, 1)),
        np.tile(np.linspace(0, 255, height), (width, 1)).T,
        np.zeros((height, width))
    ], -1).astype(np.uint8)
    image, size = Image.fromarray(ramp), (128, 64) if width > height else (64, 128)
    shown = image.resize(size, box=kept_part(width, height, size))
    assert np.abs(np.asarray(shown, int) - np.asarray(fitted(image, size).image, int)).max() <= 6


def test_what_is_cut_away_is_darker_and_the_rest_as_it_is(tmp_path):
    Image.new("RGB", (600, 120), (200, 200, 200)).save(tmp_path / "a.png")
    shown, size, masked = draw_crop(tmp_path / "a.png", RUN)
    assert (size, masked, shown.size) == ((256, 64), False, (480, 96))
    assert shown.getpixel((40, 48)) == (60, 60, 60) and shown.getpixel((60, 48)) == (200, 200, 200)


def test_what_the_mask_leaves_out_is_tinted(tmp_path):
    Image.new("RGB", (128, 128), (0, 0, 0)).save(tmp_path / "a.png")
    mask = Image.new("L", (128, 128), 0)
    mask.paste(255, (0, 0, 64, 128))
    mask.save(tmp_path / "a-mask.png")
    shown, _, masked = draw_crop(tmp_path / "a.png", RUN)
    assert masked and shown.getpixel((100, 240)) == (0, 0, 0)
    assert shown.getpixel((400, 240))[0] == pytest.approx(0.55 * TINT[0], abs=2)
