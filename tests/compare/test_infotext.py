"""The text with which a picture says how it was drawn."""

import pytest
from PIL import Image

from extension_lib.compare.infotext import infotext_of, write_infotext
from extension_lib.host import Picture


@pytest.mark.parametrize("prompt, negative, theirs, ours", [
    ("a ghost <lora:ghost:1>", "", "a ghost \nSteps: 20, Seed: 1", "a ghost <lora:ghost:1>\nSteps: 20, Seed: 1"),
    ("<lora:ghost:1>", "", "Steps: 20, Seed: 1", "<lora:ghost:1>\nSteps: 20, Seed: 1"),
    ("a\nb <lora:g:1>", "a cat", "a\nb \nNegative prompt: a cat\nSteps: 20", "a\nb <lora:g:1>\nNegative prompt: a "
     "cat\nSteps: 20"),
    ("a ghost", "", "a ghost\nSteps: 20", "a ghost\nSteps: 20")])
def test_the_host_s_text_is_kept_with_the_tags_it_left_out(prompt, negative, theirs, ours):
    image = Image.new("RGB", (1, 1))
    image.info["parameters"] = theirs
    assert infotext_of(image, Picture(prompt, negative, width=512, height=512), "toyland") == ours


def test_without_one_it_is_written_as_the_webui_would():
    assert write_infotext(Picture("a ghost", "a cat", width=512, height=512, seed=3, clip_skip=2), "my, model") == (
        "a ghost\nNegative prompt: a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 3, Size: 512x512, Model: "
        "\"my, model\", Clip skip: 2")
