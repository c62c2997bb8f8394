"""The batch of a run that takes most memory, as shapes alone."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ..config.run import Run
from ..data.batches import Batch
from ..data.buckets import Size
from ..data.folder import Item
from ..data.plan import Plan
from ..diffusion.prompts import CHUNK
from ..families.family import PIXELS_PER_LATENT
from ..model import Framing, Model, sizes_of


@dataclass(frozen=True)
class LargestBatch:
    """How many pictures of which size it has, and what they are called."""

    size: Size
    subjects: int
    class_pictures: int
    prompts: tuple[str, ...]  # of all of them, the longest there are
    class_prompts: tuple[str, ...]  # of the subjects, where a penalty holds them

    @property
    def count(self) -> int:
        return self.subjects + self.class_pictures

    def latents(self, model: Model, count: int) -> torch.Tensor:
        width, height = self.size
        return torch.zeros(count, model.family.latent_channels, height // PIXELS_PER_LATENT,
                           width // PIXELS_PER_LATENT, device=model.device)

    def pixels(self, model: Model) -> torch.Tensor:
        width, height = self.size
        return torch.zeros(1, 3, height, width, device=model.device)

    def made(self, run: Run, model: Model, text_trained: bool) -> Batch:
        framing = Framing(self.size, (0, 0), self.size)
        texts = [*self.prompts, *self.class_prompts]
        with torch.no_grad():
            condition = None if text_trained else model.encode_prompts(
                texts, run.data.clip_skip, run.data.prompt_syntax).float()
        return Batch(self.subjects, self.latents(model, self.count), list(self.prompts), condition,
                     torch.ones(self.count, device=model.device), sizes_of([framing] * self.count).to(model.device),
                     class_prompts=self.class_prompts)


def largest_batch(run: Run, model: Model, items: Sequence[Item]) -> LargestBatch:
    """items: all pictures of the run; those of classes need not be drawn yet."""
    subjects = [item for item in items if not item.prior]
    plan = Plan(run, subjects)
    showings: Counter[Size] = Counter()
    for item in subjects:
        showings[plan.size_of(item)] += item.repeats
    batches = {size: min(count, run.training.batch_size) for size, count in showings.items()}
    size = max(batches, key=lambda size: size[0] * size[1] * batches[size])
    count = batches[size]
    class_pictures = count if run.prior.preserve else 0
    return LargestBatch(size, count, class_pictures,
                        longest({text for item in items for text in item.prompts}, model, count + class_pictures),
                        longest({i.class_prompt for i in subjects}, model, count) if run.prior.penalty else ())


def longest(texts: set[str], model: Model, count: int) -> tuple[str, ...]:
    """So many of these texts, those with most chunks of tokens first, some of them twice where there are too few."""
    first = sorted(texts, key=lambda text: (-(len(model.tokens(text)) // CHUNK), text))
    return tuple(first[n % len(first)] for n in range(count))
