"""Aspect-ratio buckets."""

from random import Random

import numpy as np
import pytest
from PIL import Image

from extension_lib.data.buckets import bucket_of, buckets, fitted


@pytest.mark.parametrize("resolution", [64, 128, 512, 768, 1024])
def test_sizes_are_steps_of_64_and_not_larger_than_the_square(resolution):
    sizes = buckets(resolution)
    assert sizes[0] == (resolution, resolution)
    assert all(w % 64 == h % 64 == 0 and w * h <= resolution**2 and max(w, h) <= 2 * resolution for w, h in sizes)


def test_without_buckets_there_is_only_the_square():
    assert buckets(512, shapes=False) == ((512, 512),)


@pytest.mark.parametrize("size, bucket", [((1000, 1000), (512, 512)), ((3000, 2000), (640, 384)),
                                          ((400, 1600), (256, 1024))])
def test_a_picture_goes_where_its_shape_is_nearest(size, bucket):
    assert bucket_of(size[0], size[1], buckets(512)) == bucket


def test_fitting_covers_the_bucket_and_cuts_the_middle():
    image = Image.fromarray(np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (100, 1, 3)))
    cut = np.asarray(fitted(image, (64, 64)))
    assert cut.shape == (64, 64, 3)
    assert abs(int(cut[32, 0, 0]) - 50) < 4 and abs(int(cut[32, 63, 0]) - 149) < 4


def test_random_crops_differ_and_repeat_with_their_seed():
    image = Image.fromarray(np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (100, 1, 3)))
    lefts = [np.asarray(fitted(image, (64, 64), Random(n)))[0, 0, 0] for n in range(8)]
    assert len(set(lefts)) > 3
    assert lefts == [np.asarray(fitted(image, (64, 64), Random(n)))[0, 0, 0] for n in range(8)]
