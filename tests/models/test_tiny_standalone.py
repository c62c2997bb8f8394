"""The tiny checkpoints of tests: diffusers reads every weight of them, and they draw something."""

import numpy as np
import pytest
import torch


@pytest.fixture(scope="module", params=["tiny-sd1", "tiny-sd2", "tiny-xl"])
def pipeline(request, tiny):
    from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

    path = tiny(request.param)
    kind = StableDiffusionXLPipeline if request.param == "tiny-xl" else StableDiffusionPipeline
    made = kind.from_single_file(str(path), config=str(path.with_suffix("")), local_files_only=True,
                                 torch_dtype=torch.float32)
    made.set_progress_bar_config(disable=True)
    return made


def test_no_weight_is_one_that_diffusers_made(pipeline):
    parts = [part for part in pipeline.components.values() if isinstance(part, torch.nn.Module)]
    for part in parts:
        for name, weight in part.named_parameters():
            assert torch.equal(weight, weight.half().float()), f"{type(part).__name__} {name}"


def test_pictures_have_contrast_and_the_prompt_changes_them(pipeline):
    first, again, other = (draw(pipeline, prompt) for prompt in ("a red ghost", "a red ghost", "a dog at night"))
    assert np.array_equal(first, again)
    assert first.std() > 40 and np.abs(first - other).mean() > 10


def draw(pipeline, prompt):
    image = pipeline(prompt, width=128, height=128, num_inference_steps=8, guidance_scale=4.0,
                     generator=torch.Generator().manual_seed(1)).images[0]
    return np.asarray(image).astype(float)
