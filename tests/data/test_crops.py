"""Crops: how pictures are cut."""

from random import Random

import numpy as np
import pytest
from PIL import Image

from extension_lib.config.run import Data
from extension_lib.data.buckets import bucket_of, buckets
from extension_lib.data.crops import MIDDLE, Crop, fitted, random_crop
from extension_lib.support.seeds import random_for

pytestmark = pytest.mark.once
RAMP = Image.fromarray(np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (100, 1, 3)))


def test_fitting_covers_the_bucket_and_cuts_the_middle():
    cut = np.asarray(fitted(RAMP, (64, 64)).image)
    assert cut.shape == (64, 64, 3)
    assert abs(int(cut[32, 0, 0]) - 50) < 4 and abs(int(cut[32, 63, 0]) - 149) < 4


def test_random_crops_differ_and_repeat_with_their_seed():
    lefts = [np.asarray(fitted(RAMP, (64, 64), Crop(anywhere=Random(n))).image)[0, 0, 0] for n in range(8)]
    assert len(set(lefts)) > 3
    assert lefts == [np.asarray(fitted(RAMP, (64, 64), Crop(anywhere=Random(n))).image)[0, 0, 0] for n in range(8)]


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize("shape, size", [((200, 100), (64, 64)), ((97, 311), (64, 192)), ((640, 480), (576, 448)),
                                         ((64, 64), (64, 64)), ((128, 64), (64, 64)), ((30, 20), (192, 128))])
def test_cutting_first_gives_what_scaling_first_gave(shape, size, seed):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*shape[::-1], 3), np.uint8))
    scale = max(size[0] / image.width, size[1] / image.height)
    wide, high = max(size[0], round(image.width * scale)), max(size[1], round(image.height * scale))
    whole = image.resize((wide, high), Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    rng = Random(seed)
    left, top = ((wide - size[0]) // 2, (high - size[1]) // 2) if seed is None else (
        rng.randint(0, wide - size[0]), rng.randint(0, high - size[1]))
    cut = fitted(image, size, Crop(anywhere=None if seed is None else Random(seed))).image
    before = np.asarray(whole.crop((left, top, left + size[0], top + size[1])), int)
    assert np.abs(np.asarray(cut) - before).max() <= (0 if image.size == size else 1)


@pytest.mark.parametrize("shape", [(4_000_000, 1), (2, 300_000), (1, 6000)])
def test_a_thin_picture_takes_no_more_memory_than_others(shape):
    """Scaled as a whole, the first would have two thousand million columns."""
    image = Image.new("L", shape, 7)
    size = bucket_of(shape[0], shape[1], buckets(512))
    assert fitted(image, size).image.size == size
    assert fitted(image, size, Crop(anywhere=Random(0))).image.getpixel((5, 5)) == 7


@pytest.mark.parametrize("data, widest, furthest", [
    (Data(random_scale=0.5), 1.5, 0.0), (Data(random_shift=0.1), 1.2, 0.1), (Data(), 1.0, 0.0),
    (Data(random_scale=0.5, random_shift=0.1), 1.5, 0.1)])
def test_a_picture_is_enlarged_and_moved_as_far_as_the_settings_say_and_shows_no_border(data, widest, furthest):
    drawn = [random_crop(data, n) for n in range(50)]
    assert drawn == [random_crop(data, n) for n in range(50)]
    assert max(c.zoom for c in drawn) == pytest.approx(widest, abs=0.03)
    assert max(abs(c.x) for c in drawn) == pytest.approx(furthest, abs=0.01)
    assert all(c.zoom >= 1 + 2 * max(abs(c.x), abs(c.y)) - 1e-9 for c in drawn)


def test_a_moved_picture_shows_what_lies_that_far_from_the_middle():
    square = RAMP.resize((200, 200))
    middle, moved = (np.asarray(fitted(square, (64, 64), Crop(1.25, x)).image)[32, 32, 0] for x in (0.0, 0.125))
    assert int(moved) - int(middle) == pytest.approx(0.125 * 200 / 1.25, abs=3)
    framing = fitted(square, (64, 64), Crop(1.25, 0.125)).framing
    assert framing.corner == (8, 16) and fitted(square, (64, 64)).framing.corner == (0, 0)


def test_without_a_scale_and_a_shift_a_random_crop_is_the_one_that_it_was():
    """Runs of earlier versions go on with the same crops."""
    assert random_crop(Data(), "key") == MIDDLE
    crop = random_crop(Data(crop="random"), "key")
    assert crop[:3] == MIDDLE[:3] and crop.anywhere.random() == random_for("crop", "key").random()
