"""The plan of a run: which pictures each batch shows, mirrored or not, and by which prompts.

Nothing is read or encoded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ..config.run import Run
from ..support.seeds import random_for
from .buckets import Size, bucket_of, buckets
from .captions import vary_prompt
from .folder import Item


@dataclass(frozen=True)
class Sample:
    """One showing of one picture."""

    item: int
    showing: int  # tells apart the repeats within an epoch
    mirrored: bool


@dataclass(frozen=True)
class PlannedBatch:
    """Samples of one size and their prompts, and the numbers of the class pictures that go with them."""

    epoch: int
    samples: tuple[Sample, ...]
    size: Size
    prompts: tuple[str, ...]
    class_pictures: tuple[int, ...]


class Plan:
    """The batches of a run by number. Each depends on its number, the settings and the pictures alone."""

    def __init__(self, run: Run, items: Sequence[Item], class_pictures: int = 0):
        self.run, self.items, self.class_pictures = run, items, class_pictures
        self.sizes = buckets(run.data.resolution, run.data.buckets)
        self.last_epoch: tuple[int, list[list[Sample]]] | None = None

    def size_of(self, item: Item) -> Size:
        return bucket_of(item.width, item.height, self.sizes)

    @cached_property
    def per_epoch(self) -> int:
        """Batches; the same in every epoch."""
        return len(self.epoch(0))

    def epoch(self, number: int) -> list[list[Sample]]:
        """The batches of an epoch; the last one asked for is kept."""
        if self.last_epoch is None or self.last_epoch[0] != number:
            self.last_epoch = number, self.shuffle_epoch(number)
        return self.last_epoch[1]

    def shuffle_epoch(self, number: int) -> list[list[Sample]]:
        """Every picture as often as it repeats, in random order, in batches of one size."""
        rng = random_for("epoch", self.run.training.seed, number)
        by_size: dict[Size, list[Sample]] = {}
        for n, item in enumerate(self.items):
            samples = by_size.setdefault(self.size_of(item), [])
            for showing in range(item.repeats):
                samples.append(Sample(n, showing, rng.random() < 0.5 if self.run.data.flip else False))
        batch_size = self.run.training.batch_size
        batches = []
        for samples in by_size.values():
            rng.shuffle(samples)
            batches += [samples[i:i + batch_size] for i in range(0, len(samples), batch_size)]
        rng.shuffle(batches)
        return batches

    def batch(self, number: int) -> PlannedBatch:
        """Batch number 0, 1, 2, ... of the run, across epochs."""
        epoch, place = divmod(number, self.per_epoch)
        samples = self.epoch(epoch)[place]
        prompts = (vary_prompt(self.items[s.item].prompts, self.run.data, self.run.training.seed, epoch, s.item,
                               s.showing) for s in samples)
        rng = random_for("class", self.run.training.seed, number)
        class_pictures = (rng.randrange(self.class_pictures) for _ in (samples if self.class_pictures else ()))
        return PlannedBatch(epoch, tuple(samples), self.size_of(self.items[samples[0].item]), tuple(prompts),
                            tuple(class_pictures))
