"""The plan of a run: which pictures each batch shows, mirrored or not, and by which prompts.

Nothing is read or encoded here.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise
from math import ceil
from random import Random
from typing import TypeVar

from ..config.run import Run
from ..support.seeds import random_for
from .buckets import Size, bucket_of, buckets
from .captions import vary_prompt
from .folder import Item

T = TypeVar("T")
AT_ONCE = 2**16  # showings that are planned before anyone may look up


@dataclass(frozen=True)
class Sample:
    """One showing of one picture."""

    item: int
    showing: int  # tells apart the repeats within an epoch
    mirrored: bool


@dataclass(frozen=True)
class Share:
    """What one of several processes has of each batch: every count-th sample, beginning with the rank-th."""

    rank: int = 0
    count: int = 1

    @property
    def key(self) -> tuple[int, ...]:
        """What is random in each process of its own depends on this too."""
        return (self.rank,) if self.rank else ()

    def of(self, parts: Sequence[T]) -> tuple[T, ...]:
        return tuple(parts[self.rank::self.count])


ALL = Share()


@dataclass(frozen=True)
class PlannedBatch:
    """Samples of one size and their prompts, and the numbers of the class pictures that go with them."""

    epoch: int
    samples: tuple[Sample, ...]
    size: Size
    prompts: tuple[str, ...]
    class_pictures: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many samples it has with its class pictures."""
        return len(self.samples) + len(self.class_pictures)

    def shared(self, share: Share) -> "PlannedBatch":
        return replace(self, samples=share.of(self.samples), prompts=share.of(self.prompts),
                       class_pictures=share.of(self.class_pictures))

    def places(self, share: Share) -> tuple[int, ...]:
        """Where in this batch the share's samples are, and behind all of them its class pictures."""
        return (*share.of(range(len(self.samples))),
                *(len(self.samples) + place for place in share.of(range(len(self.class_pictures)))))


@dataclass(frozen=True)
class Epoch:
    """The batches of an epoch in as little memory as they need, because there may be millions of showings.

    A showing is a number: 2 for each before it in the order of the pictures, and 1 more where it is mirrored.
    """

    showings: array  # shuffled, those of one size behind those of another
    batches: array  # where in them each batch begins, shuffled
    ends: dict[int, int]  # where the last batch of each size ends, by where it begins


class Plan:
    """The batches of a run by number. Each depends on its number, the settings and the pictures alone."""

    def __init__(self, run: Run, items: Sequence[Item], class_pictures: int = 0, processes: int = 1):
        """processes: how many share each batch."""
        self.run, self.items, self.class_pictures = run, items, class_pictures
        self.batch_size = run.training.batch_size * processes
        self.sizes = buckets(run.data.resolution, run.data.buckets)
        self.first_showings = [0, *accumulate(item.repeats for item in items)]
        self.last_epoch: tuple[int, Epoch] | None = None

    def size_of(self, item: Item) -> Size:
        return bucket_of(item.width, item.height, self.sizes)

    @cached_property
    def per_epoch(self) -> int:
        """Batches; the same in every epoch."""
        counts: Counter[Size] = Counter()
        for item in self.items:
            counts[self.size_of(item)] += item.repeats
        return sum(ceil(count / self.batch_size) for count in counts.values())

    def epoch(self, number: int) -> Epoch:
        """The batches of an epoch; the last one asked for is kept."""
        for _ in self.planning(number):
            pass
        assert self.last_epoch
        return self.last_epoch[1]

    def planning(self, number: int) -> Iterator[None]:
        """Plans an epoch in parts, so that someone can stop in between."""
        if self.last_epoch is None or self.last_epoch[0] != number:
            self.last_epoch = number, (yield from self.shuffle_epoch(number))

    def shuffle_epoch(self, number: int) -> Generator[None, None, Epoch]:
        """Every picture as often as it repeats, in random order, in batches of one size."""
        rng = random_for("epoch", self.run.training.seed, number)
        by_size: dict[Size, array] = {}
        for item, (first, after) in zip(self.items, pairwise(self.first_showings)):
            numbers = (2 * n + (self.run.data.flip and rng.random() < 0.5) for n in range(first, after))
            by_size.setdefault(self.size_of(item), array("q")).extend(numbers)
            if first // AT_ONCE < after // AT_ONCE:
                yield
        epoch = Epoch(array("q"), array("q"), {})
        for showings in by_size.values():
            yield from shuffle(showings, rng)
            begin, end = len(epoch.showings), len(epoch.showings) + len(showings)
            epoch.batches.extend(range(begin, end, self.batch_size))
            epoch.showings.extend(showings)
            epoch.ends[epoch.batches[-1]] = end
        yield from shuffle(epoch.batches, rng)
        return epoch

    def samples(self, number: int, place: int) -> tuple[Sample, ...]:
        """Of a batch, by its place in an epoch."""
        epoch = self.epoch(number)
        begin = epoch.batches[place]
        end = epoch.ends.get(begin, begin + self.batch_size)
        return tuple(self.sample(n) for n in epoch.showings[begin:end])

    def sample(self, number: int) -> Sample:
        showing, mirrored = divmod(number, 2)
        item = bisect_right(self.first_showings, showing) - 1
        return Sample(item, showing - self.first_showings[item], bool(mirrored))

    def batch(self, number: int) -> PlannedBatch:
        """Batch number 0, 1, 2, ... of the run, across epochs."""
        epoch, place = divmod(number, self.per_epoch)
        samples = self.samples(epoch, place)
        prompts = (vary_prompt(self.items[s.item].prompts, self.run.data, self.run.training.seed, epoch, s.item,
                               s.showing) for s in samples)
        rng = random_for("class", self.run.training.seed, number)
        class_pictures = (rng.randrange(self.class_pictures) for _ in (samples if self.class_pictures else ()))
        return PlannedBatch(epoch, samples, self.size_of(self.items[samples[0].item]), tuple(prompts),
                            tuple(class_pictures))


def shuffle(values: array, rng: Random) -> Iterator[None]:
    """Gives the order that Random.shuffle gives, in parts."""
    for n in reversed(range(1, len(values))):
        other = rng.randrange(n + 1)
        values[n], values[other] = values[other], values[n]
        if n % AT_ONCE == 0:
            yield
