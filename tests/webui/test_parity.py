"""The WebUI's classes and diffusers' learn the same: one step's loss and every gradient, on the same random weights."""

from itertools import count, product

import pytest
import torch
from safetensors.torch import load_file, save_file
from webui import one_step
from webui.standalone import host_beside

from extension_lib.config.run import from_dict
from extension_lib.diffusion.noise import add_random_noise
from extension_lib.families.family import PIXELS_PER_LATENT
from extension_lib.families.prediction import CHOICES, FROM_FILE
from extension_lib.host import find_checkpoint
from extension_lib.model import Diffusion, Framing

CHECKPOINTS = ("tiny-sd1", "tiny-sd2", "tiny-xl")
ALLOWED = 1e-3
TEN = ("a red ghost on the beach at night with snow", "a blue dog in the city by day without rain")  # tokens
CAPTIONS = {"10": TEN, "150": tuple(" ".join([caption] * 15) for caption in TEN),
            "10 and 150": (TEN[0], " ".join([TEN[1]] * 15))}
SIDES = {"square": (128, 128), "tall": (192, 128), "wide": (128, 256)}  # height and width of pictures
LAST = 999  # the timestep where zero terminal SNR differs most
CASES = (("tiny-sd1", 1), ("tiny-sd1", 2), ("tiny-sd2", 1), ("tiny-xl", 1))  # checkpoint and clip skip
# The layers behind the one that is read: they have no gradient.
UNREAD = {("tiny-sd1", 2): "lora_te_text_model_encoder_layers_2_",
          ("tiny-xl", 1): "lora_te1_text_model_encoder_layers_2_"}


@pytest.mark.parametrize("prediction", [choice for choice in CHOICES if choice != FROM_FILE])
@pytest.mark.parametrize("name, clip_skip", CASES)
def test_both_views_compute_the_same_loss_and_gradients(webui, seen, tmp_path, name, clip_skip, prediction):
    webui.load(name)
    settings = settings_for(webui.data / "models" / "Stable-diffusion" / f"{name}.safetensors", clip_skip, prediction)
    batches, host = batches_for(settings["training"]["seed"]), host_beside(webui, tmp_path)
    given = tmp_path / "given.safetensors"
    trained = write_inputs(host, settings, batches, given)
    asked = {"settings": settings, "batches": batches, "given": str(given)}
    files = [str(tmp_path / f"{whose}.safetensors") for whose in ("theirs", "ours")]
    losses = [webui.post("/darkroom-test/one-step", **asked, gradients=files[0]),
              one_step.losses(host, **asked, gradients=files[1])]
    theirs, ours = map(load_file, files)
    unread = {key for key in trained for batch in batches if f"{batch} {key}" not in ours}
    figures = {"batches": len(batches), "gradients": len(trained) - len(unread), "without_gradient": len(unread),
               "loss_error": max(abs(losses[0][batch] / losses[1][batch] - 1) for batch in batches),
               "gradient_error": max(relative_errors(theirs, ours))}
    seen(figures)
    assert theirs.keys() == ours.keys()
    assert unread == {key for key in trained if key.startswith(UNREAD.get((name, clip_skip), "-"))}
    assert figures["loss_error"] <= ALLOWED and figures["gradient_error"] <= ALLOWED, figures


def relative_errors(theirs, ours):
    return [((theirs[key] - ours[key]).norm() / ours[key].norm()).item() for key in ours]


def settings_for(path, clip_skip, prediction):
    return {"output": {"name": "parity"}, "base": {"checkpoint": str(path), "prediction": prediction},
            "method": {"name": "lora", "rank": 4, "alpha": 4.0, "text_rate": 1e-4}, "data": {"clip_skip": clip_skip},
            "noise": {"weighting": "none"}, "training": {"seed": 3}}


def batches_for(seed):
    """A batch for each size and length, numbered so that one of its pictures is at the last timestep."""
    numbers = (number for number in count() if LAST in timesteps(seed, number))
    return {f"{side} {length}": {"prompts": list(prompts), "number": next(numbers),
                                 "sizes": [[*framing.numbers] for framing in framings(*SIDES[side])]}
            for side, (length, prompts) in product(SIDES, CAPTIONS.items())}


def timesteps(seed, number):
    alphas = torch.ones(LAST + 1)
    return add_random_noise(torch.zeros(len(TEN), 1, 1, 1), Diffusion(alphas, "eps"), 0, seed, number).t.tolist()


def framings(height, width):
    """A picture as it is, and one that was scaled down and cropped."""
    return Framing((height, width), (0, 0), (height, width)), Framing((700, 500), (8, 16), (height, width))


def write_inputs(host, settings, batches, path):
    """Latents, and a LoRA that has learned something: every matrix at random, so that each has a gradient. Returns its
    parameters.
    """
    run, drawn = from_dict(settings), torch.Generator().manual_seed(7)
    with host.borrow(find_checkpoint(host, run.base.checkpoint)) as model:
        trainable = run.method.attach(model, run.training.seed)
        shapes = {name: parameter.shape for name, parameter in trainable.state_dict().items()}
        trainable.detach()
    tensors = {name: 0.5 * torch.randn(shape, generator=drawn) / shape[1:].numel()**0.5
               for name, shape in shapes.items()}
    for name, batch in batches.items():
        height, width = batch["sizes"][0][-2:]
        shape = len(batch["prompts"]), 4, height // PIXELS_PER_LATENT, width // PIXELS_PER_LATENT
        tensors[f"{name} latents"] = torch.randn(shape, generator=drawn)
    save_file(tensors, path)
    return list(shapes)
