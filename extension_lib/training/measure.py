"""The loss on fixed noise: the same pictures, noise and timesteps each time, so that steps and runs can be compared."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .. import memory
from ..config.run import Noise, Run
from ..data.batches import Batches
from ..data.held_out import MeasuredPicture
from ..diffusion.loss import sample_losses
from ..diffusion.noise import NoisyLatents, add_noise
from ..events import Event, Measured, Warned
from ..methods.base import Trainable
from ..model import Diffusion, Model, sizes_of
from ..support.seeds import generator_for, seed_from
from .guard import Guard
from .optimizer import Optimizer

PICTURES = 16  # noisy pictures, each at its own timestep
MEASUREMENTS, MIN_INTERVAL = 20, 25  # in a run, and the least steps between two, unless a setting says otherwise
UNWEIGHTED = Noise(weighting="none")  # all runs are measured alike, whatever their weighting


class NoisyPicture(NamedTuple):
    """A picture with noise, one of a batch. mask (1, h, w), sizes (6,)."""

    prompt: str
    noisy: NoisyLatents
    mask: Tensor
    sizes: Tensor


def noisy_pictures(stills: Sequence[MeasuredPicture], diffusion: Diffusion) -> list[NoisyPicture]:
    """The pictures in turn, at evenly spaced timesteps; the noise depends on picture and timestep alone."""
    out = []
    for n in range(PICTURES if stills else 0):
        still, t = stills[n % len(stills)], int((n + 0.5) / PICTURES * len(diffusion.alphas_cumprod))
        noise = torch.randn(still.latents.shape, generator=generator_for("measured", still.name, t))
        noisy = add_noise(still.latents[None], noise[None], torch.tensor([t]), diffusion)
        out.append(NoisyPicture(still.prompt, noisy, still.mask, sizes_of([still.framing])[0]))
    return out


def group_by_shape(pictures: Sequence[NoisyPicture], size: int) -> list[list[NoisyPicture]]:
    """Batches of pictures of one shape, at most size in each."""
    by_shape: dict[tuple[int, ...], list[NoisyPicture]] = {}
    for picture in pictures:
        by_shape.setdefault(tuple(picture.mask.shape), []).append(picture)
    return [same[n:n + size] for same in by_shape.values() for n in range(0, len(same), size)]


def fingerprint(stills: Sequence[MeasuredPicture]) -> str:
    """The same for the same pictures in the same sizes. Not of latents: their last bits differ between machines."""
    return f"{seed_from([(s.name, tuple(s.latents.shape)) for s in stills]):016x}"[:8]


class FixedNoiseLoss:
    """Measures a run at some of its steps. It changes nothing: no gradient, no dropout, no state of random numbers."""

    def __init__(self, run: Run, model: Model, trainable: Trainable, batches: Batches):
        self.run, self.model, self.trainable, self.batches = run, model, trainable, batches
        self.every = run.training.measure_every or max(MIN_INTERVAL, round(run.training.steps / MEASUREMENTS))
        self.fingerprint = fingerprint(batches.measured)
        pictures = noisy_pictures(batches.measured, model.diffusion)
        self.batches_of_pictures = group_by_shape(pictures, run.training.batch_size)
        self.last_step: int | None = None  # that was measured

    @property
    def enabled(self) -> bool:
        return bool(self.batches_of_pictures) and self.run.training.measure_every <= self.run.training.steps

    def measure(self, step: int, optimizer: Optimizer) -> Iterator[Event]:
        """Measures after a step, once; when that fails, the run goes on with a warning."""
        if not self.enabled or step == self.last_step:
            return
        self.last_step = step
        event: Event | None = None
        with Guard(f"Measuring at step {step}") as guard, optimizer.averaged(self.trainable):
            event = Measured(step, self.loss(), norm(optimizer.parameters), bool(self.batches.held_out),
                             self.fingerprint)
        memory.free_cache()
        yield event or Warned(f"The loss on fixed noise could not be measured at step {step}: {guard.reason}")

    @torch.no_grad()
    def loss(self) -> float:
        with self.trainable.as_saved():
            each = torch.cat([self.losses(batch) for batch in self.batches_of_pictures])
        return each.mean().item()

    def losses(self, batch: list[NoisyPicture]) -> Tensor:
        """(b,)"""
        device, data = self.model.device, self.run.data
        prompts, parts, *others = zip(*batch)
        noisy = NoisyLatents(*(torch.cat(part).to(device) for part in zip(*parts)))
        masks, sizes = (torch.stack(other).to(device) for other in others)
        with self.model.autocast():
            condition = self.batches.condition_of(prompts) or self.model.encode_prompts(list(prompts), data.clip_skip,
                                                                                        data.prompt_syntax)
            predicted = self.model.predict(noisy.noisy, noisy.t, condition.sized(sizes))
        return sample_losses(predicted, noisy, self.model.diffusion.prediction, UNWEIGHTED, masks)


@torch.no_grad()
def norm(parameters: Sequence[Tensor]) -> float:
    return torch.stack([p.norm() for p in parameters]).norm().item()
