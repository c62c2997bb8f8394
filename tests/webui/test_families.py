"""Tiny checkpoints of SDXL and SD2 in a real WebUI, which draws, encodes and applies LoRA as it does with full ones."""

import numpy as np
import pytest
import torch
from kohya import lora_for
from safetensors.torch import save_file
from webui.training import pixels

from extension_lib.families.sd2 import SD2
from extension_lib.families.sdxl import SDXL

CHECKPOINTS = ("tiny-xl", "tiny-xl-v", "tiny-sd2")
FAMILIES = {"tiny-xl": SDXL, "tiny-sd2": SD2}
LAYERS = {"tiny-xl": 192 + 18 + 60, "tiny-sd2": 192 + 54}


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


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_both_hosts_hold_the_same_text_encoders(webui, seen, name):
    webui.load(name)
    wanted = by_diffusers(checkpoint_of(webui, name), "a red ghost on the beach")
    theirs = webui.post("/darkroom-test/condition", prompts=["a red ghost on the beach"], width=832, height=1216,
                        negative=False)
    error = max((torch.tensor(theirs[part]) - wanted[part]).abs().max().item() for part in wanted)
    assert wanted.keys() == theirs.keys() and error <= 1e-5
    seen({"error": error})


@pytest.mark.parametrize("name", FAMILIES)
def test_every_layer_of_a_lora_that_kohya_would_make_is_applied(webui, seen, tmp_path, name):
    webui.load(name)
    webui.loras.mkdir(exist_ok=True)
    deltas = lora_for(checkpoint_of(webui, name), FAMILIES[name], webui.loras / f"by-hand-{name}.safetensors")
    save_file(deltas, tmp_path / "expected.safetensors")
    found = webui.post("/darkroom-test/deltas", name=f"by-hand-{name}", expected=str(tmp_path / "expected.safetensors"))
    assert found["missing"] == found["others"] == found["left"] == [] and len(found["layers"]) == LAYERS[name]
    assert all(layer["error"] <= 1e-5 * layer["delta"] + 1e-6 * layer["weight"] for layer in found["layers"].values())
    seen({"layers": len(found["layers"])})


def checkpoint_of(webui, name):
    return webui.data / "models" / "Stable-diffusion" / f"{name}.safetensors"


def by_diffusers(path, prompt):
    """What diffusers makes of a prompt at 832x1216, as the WebUI calls its parts."""
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    kind = StableDiffusionXLPipeline if "xl" in path.stem else StableDiffusionPipeline
    pipeline = kind.from_single_file(str(path), config=str(path.with_suffix("")), local_files_only=True,
                                     torch_dtype=torch.float32)
    hidden, _, *pooled = pipeline.encode_prompt(prompt, device="cpu", num_images_per_prompt=1,
                                                do_classifier_free_guidance=False)
    if not pooled:
        return {"crossattn": hidden}
    sizes = pipeline.unet.add_time_proj(torch.tensor([1216.0, 832, 0, 0, 1216, 832])).reshape(1, -1)
    return {"crossattn": hidden, "vector": torch.cat([pooled[0], sizes], 1)}
