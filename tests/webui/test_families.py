"""Tiny checkpoints of SDXL and SD2 in a real WebUI."""

import io

import numpy as np
import pytest
from PIL import Image

CHECKPOINTS = ("tiny-xl", "tiny-xl-v", "tiny-sd2")


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_it_draws_and_the_prompt_shows(webui, seen, name):
    webui.load(name)
    first, again, other = (webui.txt2img(prompt, size=128, steps=10)
                           for prompt in ("a red ghost", "a red ghost", "a dog at night"))
    assert first == again
    changed = float(np.abs(pixels(first) - pixels(other)).mean())
    contrast = float(pixels(first).std())
    assert contrast > 40 and changed > 10
    seen({"contrast": round(contrast, 1), "changed_by": round(changed, 1)})
