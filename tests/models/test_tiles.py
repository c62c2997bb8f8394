"""Large pictures are encoded tile by tile."""

import pytest
import torch
import torch.nn.functional as F

from extension_lib.models import tiles


@pytest.mark.parametrize("size", [(1024, 1536), (2048, 2048), (640, 3200), (1032, 1480)])
def test_what_looks_at_single_places_sees_the_same_in_tiles_of_limited_size(size):
    seen = []

    def encode(pixels):
        seen.append(pixels.shape[-1] * pixels.shape[-2])
        return F.avg_pool2d(pixels, 8)

    pixels = torch.randn(1, 3, *size)
    assert tiles.is_large(pixels) and not tiles.is_large(pixels[..., :1024, :1024])
    assert torch.allclose(tiles.encoded_in_tiles(encode, pixels), F.avg_pool2d(pixels, 8), atol=1e-5)
    assert len(seen) > 1 and max(seen) <= tiles.TILE**2


def test_a_model_s_latents_are_nearly_those_of_the_whole_picture(model, monkeypatch):
    pixels = torch.linspace(-1, 1, 128).view(1, 1, 1, -1) * torch.linspace(1, -1, 192).view(1, 1, -1, 1)
    pixels = pixels.expand(1, 3, -1, -1) * torch.tensor([1.0, 0.5, -1.0]).view(1, 3, 1, 1)
    whole = model.encode_images(pixels)
    for name, value in {"LARGE": 20_000, "TILE": 128, "OVERLAP": 64}.items():
        monkeypatch.setattr(tiles, name, value)
    in_tiles = model.encode_images(pixels)
    assert not torch.equal(in_tiles, whole)
    assert (in_tiles - whole).norm() < 0.1 * whole.norm()
