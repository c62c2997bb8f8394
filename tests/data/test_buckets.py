"""Aspect-ratio buckets."""

import math

import pytest

from extension_lib.data.buckets import bucket_of, buckets

pytestmark = pytest.mark.once

RESOLUTIONS = (64, 128, 256, 384, 500, 512, 627, 640, 768, 1024)
SHAPES = ((1, 1), (5, 4), (4, 3), (7, 5), (3, 2), (8, 5), (16, 9), (2, 1), (21, 9), (3, 1), (4, 1), (4, 5), (3, 4),
          (5, 7), (2, 3), (5, 8), (9, 16), (1, 2), (1, 3), (1000, 999))


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_sizes_are_steps_of_64_and_not_larger_than_the_area_asked_for(resolution):
    square, *others = buckets(resolution)
    assert square[0] == square[1] and abs(square[0] - resolution) <= 32
    assert all(w % 64 == h % 64 == 0 and w * h <= (resolution + 0.5)**2 and max(w, h) <= 2 * resolution
               for w, h in others)


def reckoned(width, height, resolution):
    """The long way: of all sizes that could not be a step larger, the one of the nearest shape."""
    def allowed(w, h):
        return w * h <= (resolution + 0.5)**2 and max(w, h) <= 2 * resolution

    nearest = min(range(64, 4096, 64), key=lambda side: abs(side - resolution))
    best, least = (nearest, nearest), abs(math.log(width / height))
    for w in range(64, 2 * resolution + 1, 64):
        for h in range(64, 2 * resolution + 1, 64):
            off = abs(math.log(w / h) - math.log(width / height))
            full = allowed(w, h) and not (allowed(w + 64, h) and allowed(w, h + 64))
            if full and (off < least - 1e-6 or (off < least + 1e-6 and w * h > best[0] * best[1])):
                best, least = (w, h), off
    return best


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_picture_s_size_is_that_of_a_calculation_by_hand(resolution, shape):
    width, height = 120 * shape[0], 120 * shape[1]
    assert bucket_of(width, height, buckets(resolution)) == reckoned(width, height, resolution)


@pytest.mark.parametrize("resolution, shape, size", [
    (500, (1, 1), (512, 512)), (500, (4, 3), (576, 384)), (627, (3, 2), (768, 512)), (627, (2, 3), (512, 768)),
    (512, (16, 9), (640, 384)), (512, (4, 3), (576, 448)), (768, (4, 3), (896, 640)), (1024, (16, 9), (1344, 768)),
    (384, (1, 2), (256, 512)), (128, (3, 1), (192, 64)), (64, (9, 1), (64, 64))])
def test_sizes_that_anyone_can_check(resolution, shape, size):
    """(627: what "768,512" of another program becomes.)"""
    assert bucket_of(shape[0], shape[1], buckets(resolution)) == size


@pytest.mark.parametrize("size, bucket", [((1000, 1000), (512, 512)), ((3000, 2000), (640, 384)),
                                          ((400, 1600), (256, 1024))])
def test_a_picture_goes_where_its_shape_is_nearest(size, bucket):
    assert bucket_of(size[0], size[1], buckets(512)) == bucket
