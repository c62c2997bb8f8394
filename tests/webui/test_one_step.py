"""The WebUI's classes and diffusers' learn the same: one step's loss and every gradient, on the same random weights.

Here, because sgm's classes are in no package.
"""

from dataclasses import dataclass
from itertools import count, product

import pytest
import torch
from safetensors.torch import load_file, save_file
from webui import one_step
from webui.standalone import host_beside

from extension_lib.config.noise import Noise
from extension_lib.config.run import from_dict
from extension_lib.diffusion.noise import add_random_noise
from extension_lib.export.tensor_part import put_parts, whole_name, whole_shape
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
UNSEEN = "k_proj.bias"  # softmax takes it out again: its gradient is rounding errors alone
SEED = 3
COMMON = {"output": {"name": "ghost"}, "concepts": [{"folder": "unused"}], "noise": {"weighting": "none"},
          "training": {"seed": SEED}}  # the output's name is the new word of methods that learn one
LORA = {"method": {"name": "lora", "rank": 4, "alpha": 4.0, "text_rate": 1e-4}}
OTHERS = {"locon": {"name": "locon", "rank": 4, "conv_rank": 4, "layers": "everything", "text_rate": 1e-4},
          "pivotal": {"name": "pivotal", "rank": 4, "text_rate": 1e-4}, "dreambooth": {"name": "dreambooth"}}
CASES = (("tiny-sd1", 1), ("tiny-sd1", 2), ("tiny-sd2", 1), ("tiny-xl", 1))  # checkpoint and clip skip
# The layers behind the one that is read: they have no gradient.
UNREAD = {("tiny-sd1", 2): "lora_te_text_model_encoder_layers_2_",
          ("tiny-xl", 1): "lora_te1_text_model_encoder_layers_2_"}


@pytest.mark.parametrize("prediction", [choice for choice in CHOICES if choice != FROM_FILE])
@pytest.mark.parametrize("name, clip_skip", CASES)
def test_both_views_compute_the_same_loss_and_gradients(webui, seen, tmp_path, name, clip_skip, prediction):
    settings = {**LORA, "data": {"clip_skip": clip_skip}}
    both = computed_by_both(webui, tmp_path, name, settings, prediction, batches_for(SEED))
    seen(both.figures())
    assert both.unread == {key for key in both.trained if key.startswith(UNREAD.get((name, clip_skip), "-"))}
    both.require_agreement()


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("name", CHECKPOINTS)
def test_both_views_compute_the_same_gradients_of(webui, seen, tmp_path, method, name):
    """Also of convolutions, new words and the model's own weights, norms and biases among them."""
    batches = {"tall 10 and 150": batches_for(SEED)["tall 10 and 150"]}
    both = computed_by_both(webui, tmp_path, name, {"method": OTHERS[method]}, "epsilon", batches)
    seen(both.figures())
    both.require_agreement()


@dataclass(frozen=True)
class Computed:
    """What the WebUI and standalone compute: losses by batch, gradients by batch and parameter."""

    trained: list[str]
    their_losses: dict[str, float]
    our_losses: dict[str, float]
    theirs: dict[str, torch.Tensor]
    ours: dict[str, torch.Tensor]

    @property
    def unread(self):
        """The parameters without a gradient in a batch."""
        return {key for key in self.trained for batch in self.our_losses if f"{batch} {key}" not in self.ours}

    def figures(self):
        loss_errors = [abs(self.their_losses[batch] / loss - 1) for batch, loss in self.our_losses.items()]
        return {"batches": len(loss_errors), "gradients": len(self.trained) - len(self.unread),
                "without_gradient": len(self.unread), "loss_error": max(loss_errors),
                "gradient_error": self.gradient_errors().max().item()}

    def gradient_errors(self):
        return torch.stack([(self.theirs[key] - gradient).norm() / gradient.norm()
                            for key, gradient in self.ours.items() if not key.endswith(UNSEEN)])

    def require_agreement(self):
        figures = self.figures()
        assert self.theirs.keys() == self.ours.keys() and self.ours
        assert figures["loss_error"] <= ALLOWED and figures["gradient_error"] <= ALLOWED, figures


def computed_by_both(webui, folder, name, changed, prediction, batches):
    """A step of each batch, by two files that both read and write."""
    webui.load(name)
    path = webui.data / "models" / "Stable-diffusion" / f"{name}.safetensors"
    settings = {**COMMON, "base": {"checkpoint": str(path), "prediction": prediction}, **changed}
    host, given = host_beside(webui, folder), folder / "given.safetensors"
    trained = write_inputs(host, settings, batches, given)
    asked = {"settings": settings, "batches": batches, "given": str(given)}
    files = [folder / f"{whose}.safetensors" for whose in ("theirs", "ours")]
    losses = [webui.post("/darkroom-test/one-step", **asked, gradients=str(files[0])),
              one_step.losses(host, **asked, gradients=str(files[1]))]
    return Computed(trained, *losses, *(whole_tensors(load_file(file)) for file in files))


def whole_tensors(gradients):
    """Parts of a weight put together, as the WebUI has them."""
    whole = {}
    for name, gradient in gradients.items():
        own = whole_name(name)
        whole[own] = put_parts(whole.get(own, torch.zeros(whole_shape(name, gradient.shape))), [(name, gradient)])
    return whole


def batches_for(seed):
    """A batch for each size and length, numbered so that one of its pictures is at the last timestep."""
    numbers = (number for number in count() if LAST in timesteps(seed, number))
    return {f"{side} {length}": {"prompts": list(prompts), "number": next(numbers),
                                 "sizes": [[*framing.numbers] for framing in framings(*SIDES[side])]}
            for side, (length, prompts) in product(SIDES, CAPTIONS.items())}


def timesteps(seed, number):
    alphas = torch.ones(LAST + 1)
    return add_random_noise(torch.zeros(len(TEN), 1, 1, 1), Diffusion(alphas, "eps"), Noise(), seed, number).t.tolist()


def framings(height, width):
    """A picture as it is, and one that was scaled down and cropped."""
    return Framing((height, width), (0, 0), (height, width)), Framing((700, 500), (8, 16), (height, width))


def write_inputs(host, settings, batches, path):
    """Latents, and an adapter's matrices at random, so that each has a gradient. Returns what is trained."""
    run, drawn = from_dict(settings), torch.Generator().manual_seed(7)
    with host.borrow(find_checkpoint(host, run.base.checkpoint)) as model:
        assert [len(model.tokens(caption)) for caption in TEN] == [10, 10]
        trainable = one_step.attach(run, model)
        shapes = {name: parameter.shape for name, parameter in trainable.state_dict().items()}
        trainable.detach()
    tensors = {name: 0.5 * torch.randn(shape, generator=drawn) / shape[1:].numel()**0.5
               for name, shape in shapes.items() if ".lora_" in name}
    for name, batch in batches.items():
        height, width = batch["sizes"][0][-2:]
        shape = len(batch["prompts"]), 4, height // PIXELS_PER_LATENT, width // PIXELS_PER_LATENT
        tensors[f"{name} latents"] = torch.randn(shape, generator=drawn)
    save_file(tensors, path)
    return sorted({whole_name(name) for name in shapes})
