"""What a run will train, computed before it starts: pictures, repeats, sizes, steps per epoch, prompts."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from ..config.run import Run
from .buckets import bucket_of, buckets
from .captions import vary_prompt
from .folder import NOTHING_READABLE, FolderError, Item, find_all_pictures
from .held_out import split_held_out

SAMPLES = 4  # prompts shown of each concept
PENALTY = ("Several concepts in one run get in each other's way and take over their class words. To keep them apart, "
           "give each a class prompt ([filewords] where captions say where things are), and set the Class prompt "
           "penalty to 0.3.")
CLASS_PICTURES = ("Several concepts in one run get in each other's way and take over their class words. To keep them "
                  "apart, give each a class prompt ([filewords] where captions say where things are), and switch on "
                  "Class pictures.")


@dataclass(frozen=True)
class ConceptOverview:
    """One concept's share: its pictures, how often they are shown in an epoch, in which sizes, and some of their
    prompts.
    """

    items: tuple[Item, ...]  # that are trained on
    held_out: int  # pictures that are not
    sizes: tuple[tuple[tuple[int, int], int], ...]  # size and pictures, most pictures first
    prompts: tuple[tuple[Item, str], ...]

    @property
    def showings(self) -> int:
        return sum(item.repeats for item in self.items)

    @property
    def repeats(self) -> tuple[int, ...]:
        return tuple(sorted({item.repeats for item in self.items}))


@dataclass(frozen=True)
class Overview:
    """All of a run's concepts, and what one epoch is."""

    parts: tuple[ConceptOverview, ...]
    batches: int  # in an epoch; a batch holds pictures of one size
    per_epoch: float  # steps
    steps: int
    at_once: int  # the most pictures that one step uses

    @property
    def pictures(self) -> int:
        return sum(len(concept_overview.items) for concept_overview in self.parts)

    @property
    def showings(self) -> int:
        return sum(concept_overview.showings for concept_overview in self.parts)

    @property
    def epochs(self) -> float:
        return self.steps / self.per_epoch

    @property
    def seen(self) -> int:
        """How often each picture is seen, on average over all showings."""
        return round(self.epochs * self.showings / self.pictures)


def overview(run: Run, unreadable: Collection[Path] = ()) -> Overview:
    """unreadable: pictures that training would leave out. Raises FolderError, also when there is no concept yet."""
    if not run.concepts:
        raise FolderError("There are no pictures yet. Choose the folder that holds them in the Concepts tab.")
    found, sizes = find_all_pictures(run), buckets(run.data.resolution, run.data.buckets)
    trained, _ = split_held_out([item for one in found for item in one.items], run.data.held_out)
    trained = [item for item in trained if item.path not in unreadable]
    if not trained:
        raise FolderError(NOTHING_READABLE)
    numbers = {item.path: n for n, item in enumerate(trained)}
    shown: Counter[tuple[int, int]] = Counter()
    for item in trained:
        shown[bucket_of(item.width, item.height, sizes)] += item.repeats
    batches = sum(ceil(n / run.training.batch_size) for n in shown.values())
    read = [tuple(item for item in one.items if item.path not in unreadable) for one in found]
    return Overview(tuple(concept_overview(items, numbers, run) for items in read), batches,
                    batches / run.training.accumulation, run.training.steps,
                    run.training.batch_size * run.training.accumulation)


def advice(run: Run) -> str:
    """Which setting would keep several concepts apart; empty for one concept, or where one is set."""
    unheld = len(run.concepts) > 1 and not run.prior.preserve and not run.prior.penalty
    product = run.method.product  # measured for LoRA, Pivotal Tuning and DreamBooth; a word alone changes no class word
    remedy = CLASS_PICTURES if product.is_checkpoint else PENALTY if product.can_be_muted else ""
    return remedy if unheld else ""


def concept_overview(found: tuple[Item, ...], numbers: dict[Path, int], run: Run) -> ConceptOverview:
    """numbers: of the pictures that are trained on, by path, as training counts them."""
    items, sizes = tuple(item for item in found if item.path in numbers), buckets(run.data.resolution, run.data.buckets)
    counts = Counter(bucket_of(item.width, item.height, sizes) for item in items)
    spread = items[::max(1, ceil(len(items) / SAMPLES))]
    first = tuple(
        (item, vary_prompt(item.prompts, run.data, run.training.seed, 0, numbers[item.path], 0)) for item in spread)
    return ConceptOverview(items, len(found) - len(items), tuple(counts.most_common()), first)
