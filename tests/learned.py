"""What a short training of every method in every way learns: done once in a process, for all tests that ask."""

from dataclasses import dataclass

import torch
from eager import run_of
from helpers import trained
from torch import Tensor

from extension_lib.config.run import new_words_of

STEPS = {"dylora": 14, "pivotal": 6}  # DyLoRA takes one block a step
KNOWN: dict[str, "Learned"] = {}


@dataclass(frozen=True)
class Learned:
    """State and files of a training, and what the model answered before it, with it, and when it was detached."""

    beginning: dict[str, Tensor]
    state: dict[str, Tensor]
    files: dict[str, Tensor]
    before: Tensor
    answer: Tensor
    detached: Tensor
    left_behind: list[str]  # modules whose forward is still another


def answer(model, seed=0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    noisy, t = torch.randn((2, 4, 16, 16), generator=rng), torch.tensor([100, 800])
    with torch.no_grad():
        return model.predict(noisy, t, model.encode_prompts(["a zwx ghost", "a dog"]))


def copied(tensors) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def short_run(pictures, way):
    """On 128x128 pictures, where every level of the UNet attends over several places."""
    return run_of(pictures, way, data={"resolution": 128}, training={"steps": STEPS.get(way.partition(",")[0], 2)})


def learned(model, pictures, way) -> Learned:
    """The model must be free, and is free again afterwards."""
    if way not in KNOWN:
        run, before = short_run(pictures, way), answer(model)
        fresh = run.method.attach(model, run.training.seed, new_words_of(run))
        beginning = copied(fresh.state_dict())
        fresh.detach()
        _, trainable = trained(model, run)
        state, files, with_it = copied(trainable.state_dict()), copied(trainable.file_tensors()), answer(model)
        trainable.detach()
        left = [name for name, module in model.unet.named_modules() if "forward" in module.__dict__]
        KNOWN[way] = Learned(beginning, state, files, before, with_it, answer(model), left)
    return KNOWN[way]


def attached(model, pictures, way, seed=99):
    """A trainable with other first values, into which was put what had been learned."""
    state, run = learned(model, pictures, way).state, short_run(pictures, way)
    fresh = run.method.attach(model, seed, new_words_of(run))
    fresh.load_state_dict(state)
    return fresh
