"""The loss of a batch: on the subjects' pictures, on class pictures, and how far class prompts have changed."""

from typing import NamedTuple

import torch
from torch import Tensor

from ..config.run import Data, Run
from ..data.batches import Batch
from ..diffusion.loss import sample_losses
from ..diffusion.noise import NoisyLatents, add_random_noise
from ..methods.base import Trainable
from ..model import Condition, Model


class StepLoss(NamedTuple):
    """Losses of one batch, each a tensor of one number. Those of all shares of a batch add up to that of the batch."""

    total: Tensor  # what is learned from
    subject: Tensor  # of the subjects' pictures; without a gradient, as is the next
    class_pictures: Tensor | None


def batch_loss(run: Run, model: Model, trainable: Trainable, batch: Batch, number: int) -> StepLoss:
    """number: of the batch in the run; its noise depends on this and the seed alone."""
    places, count = (batch.part.places, batch.part.samples) if batch.part else (None, 0)
    noisy = add_random_noise(batch.latents, model.diffusion, run.noise, run.training.seed, number, places=places,
                             count=count)
    class_count = len(batch.class_prompts)
    # the same pictures again
    with_class_prompts = NoisyLatents(*map(torch.cat, zip(noisy, noisy.rows(class_count))))
    with model.autocast():
        condition = encode_batch(model, batch, run.data).sized(torch.cat([batch.sizes, batch.sizes[:class_count]]))
        predicted = model.predict(with_class_prompts.noisy, with_class_prompts.t, condition)
    count, split = len(batch.latents), batch.subjects
    prediction = model.diffusion.prediction
    each = sample_losses(predicted[:count], noisy, prediction, run.noise, batch.masks)
    of_all = batch.subjects_of_all  # each has one class picture, where there are some
    class_loss = each[split:].detach().sum() / of_all if split < count else None
    loss = (each * batch.weights).sum() / of_all
    if class_count:
        before = predict_untrained(model, trainable, batch, noisy, run.data)
        same = noisy.rows(class_count)._replace(target=before)
        change = sample_losses(predicted[count:], same, prediction, run.noise)
        loss = loss + run.prior.penalty * change.sum() / of_all
    return StepLoss(loss, each[:split].detach().sum() / of_all, class_loss)


@torch.no_grad()
def predict_untrained(model: Model, trainable: Trainable, batch: Batch, noisy: NoisyLatents, data: Data) -> Tensor:
    """(class prompts, 4, h, w): what the model predicted for the class prompts before it was trained."""
    count = len(batch.class_prompts)
    with trainable.muted(), model.autocast():  # a shared autocast would cache weights without gradient
        condition = encode_batch(model, batch, data).rows(slice(-count, None)).sized(batch.sizes[:count])
        return model.predict(noisy.noisy[:count], noisy.t[:count], condition)


def encode_batch(model: Model, batch: Batch, data: Data) -> Condition:
    """The batch's prompts and then its class prompts; each text is encoded once."""
    if batch.condition:
        return batch.condition
    texts = [*batch.prompts, *batch.class_prompts]
    unique = list(dict.fromkeys(texts))
    encoded = model.encode_prompts(unique, data.clip_skip, data.prompt_syntax)
    return encoded if len(unique) == len(texts) else encoded.rows([unique.index(text) for text in texts])
