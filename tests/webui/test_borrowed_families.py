"""Tiny checkpoints of SDXL and SD2 borrowed in a real WebUI: seen as it sees them, drawn as they are, given back."""

import pytest
import torch

CHECKPOINTS = ("tiny-xl", "tiny-xl-v", "tiny-sd2")
SHORT, LONG = "a (red:1.3) ghost on the [beach]", ", ".join(["a red ghost on the beach at night"] * 17)
ASKED = {"short": (SHORT, False), "150 tokens": (LONG, False), "empty": ("", False), "empty negative": ("", True),
         "filled negative": ("blurry, (ugly:1.2)", True), "long negative": (LONG, True)}
SIZE = {"width": 832, "height": 1216}


@pytest.mark.parametrize("name", ["tiny-xl", "tiny-sd2"])
def test_our_condition_is_the_webui_s(webui, seen, name):
    webui.load(name)
    errors = {}
    for what, (prompt, negative) in ASKED.items():
        theirs, ours = (webui.post(f"/darkroom-test/{route}", prompts=[prompt], negative=negative, **SIZE)
                        for route in ("condition", "borrowed-condition"))
        assert theirs.keys() == ours.keys()
        errors[what] = max((torch.tensor(theirs[part]) - torch.tensor(ours[part])).abs().max().item()
                           for part in theirs)
    seen(errors)
    assert max(errors.values()) <= 1e-5, errors
