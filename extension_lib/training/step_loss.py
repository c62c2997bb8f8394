"""How wrong the model is on a batch: on the subjects' pictures, on class pictures, and in its answer to the class prompts."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..config.run import Data, Run
from ..data.batches import Batch
from ..diffusion.loss import errors
from ..diffusion.noise import Noised, noised
from ..methods.base import Trainable
from ..model import Condition, Model


class StepLoss(NamedTuple):
    """loss is what is learned from; the others are for people: of the subject's pictures, and of the class pictures."""

    loss: Any
    of_subject: Any
    of_class: Any


def batch_loss(run: Run, model: Model, trainable: Trainable, batch: Batch, number: int) -> StepLoss:
    """The errors of batch number so-and-so; its noise depends on seed and number alone."""
    made = noised(batch.latents, model.diffusion, run.noise.noise_offset, run.training.seed, number)
    held = len(batch.class_prompts)
    asked = Noised(*(torch.cat([part, part[:held]]) for part in made))  # the same noisy pictures, by their class prompts
    with model.autocast():
        condition = encode_batch(model, batch, run.data)
        predicted = model.predict(asked.noisy, asked.t, condition)
    count, split = len(batch.latents), batch.subjects
    prediction = model.diffusion.prediction
    each = errors(predicted[:count], made.target, made.snr, prediction, run.noise, batch.masks)
    of_class = each[split:].detach().mean() if split < count else None
    loss = (each * batch.weights).sum() / split
    if held:
        before = predict_untrained(model, trainable, batch, made, run.data)
        change = errors(predicted[count:], before, made.snr[:held], prediction, run.noise)
        loss = loss + run.prior.penalty * change.mean()
    return StepLoss(loss, each[:split].detach().mean(), of_class)


@torch.no_grad()
def predict_untrained(model: Model, trainable: Trainable, batch: Batch, made: Noised, data: Data) -> Tensor:
    """(held, 4, h, w): what the model made of the class prompts before it was trained."""
    held = len(batch.class_prompts)
    with trainable.muted(), model.autocast():  # a context of its own: it would hand on weights that were cast without gradient
        condition = Condition(encode_batch(model, batch, data).hidden[-held:])
        return model.predict(made.noisy[:held], made.t[:held], condition)


def encode_batch(model: Model, batch: Batch, data: Data) -> Condition:
    """The batch's prompts and then its class prompts; each text is encoded once."""
    if batch.condition:
        return batch.condition
    texts = [*batch.prompts, *batch.class_prompts]
    unique = list(dict.fromkeys(texts))
    hidden = model.encode_prompts(unique, data.clip_skip, data.prompt_syntax).hidden
    return Condition(hidden if len(unique) == len(texts) else hidden[[unique.index(text) for text in texts]])
