"""One step's loss and gradients by a host: the tests ask their own for them, and one in a real WebUI."""

from typing import Any

import torch
from safetensors.torch import load_file, save_file

from extension_lib.config.presets import checkpoint_of
from extension_lib.config.run import Run, from_dict, new_words_of
from extension_lib.data.batches import Batch
from extension_lib.methods.base import Trainable
from extension_lib.model import Model
from extension_lib.training.step_loss import batch_loss


def losses(host: Any, settings: dict, batches: dict[str, dict], given: str, gradients: str) -> dict[str, float]:
    """The loss of each batch. Writes the gradients, "BATCH PARAMETER" each, where there is one.

    batches: for each its prompts, sizes and number; given: a file of its latents, "BATCH latents", and of what the
    method has learned so far; where there is none of that, it begins.
    """
    run, state, found, made = from_dict(settings), load_file(given), {}, {}
    latents = {name: state.pop(f"{name} latents") for name in batches}
    with host.borrow(checkpoint_of(run.base, host)) as model:
        trainable = attach(run, model)
        try:
            with torch.no_grad():
                trainable.load_state_dict({**trainable.state_dict(), **state})
            for name, asked in batches.items():
                loss = batch_loss(run, model, trainable, batch_of(latents[name], asked), asked["number"]).total
                found[name] = loss.item()
                made.update({f"{name} {key}": gradient for key, gradient in gradients_of(loss, trainable)})
        finally:
            trainable.detach()
    save_file(made, gradients)
    return found


def attach(run: Run, model: Model) -> Trainable:
    words = new_words_of(run) if run.method.product.learns_words else ()
    return run.method.attach(model, run.training.seed, words)


def batch_of(latents: torch.Tensor, asked: dict) -> Batch:
    return Batch(len(latents), latents, asked["prompts"], None, torch.ones(len(latents)), torch.tensor(asked["sizes"]))


def gradients_of(loss: torch.Tensor, trainable: Trainable) -> list[tuple[str, torch.Tensor]]:
    parameters = trainable.state_dict()
    found = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    return [(name, gradient.contiguous()) for name, gradient in zip(parameters, found) if gradient is not None]
