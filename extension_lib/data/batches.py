"""Batches: puts together what a step learns from, by the plan and from what is stored."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .. import memory
from ..config.run import Run
from ..events import Prepared, Warned
from ..model import Condition, Model, sizes_of
from ..support.ahead import done_ahead
from .cache import Cache
from .folder import NOTHING_READABLE, Item
from .held_out import MEASURED_PICTURES, MeasuredPicture, in_fixed_order, picture_name, split_held_out
from .pictures import PictureError
from .plan import ALL, Plan, PlannedBatch, Share
from .store import Encoded, PictureStore, PromptStore, Read, Variant

ROOM = 2  # so many more UNets must fit on a graphics card, or it is nearly full
PROMPTS_AT_ONCE = 16  # encoded before anyone may look up


class PartOfBatch(NamedTuple):
    """Where a process's samples are in a batch that several share, and how many subjects and samples that has."""

    places: tuple[int, ...]
    subjects: int
    samples: int


@dataclass(frozen=True)
class Batch:
    """What one micro-step learns from. Latents (b, 4, h, w) and weights (b,) fp32, on the model's device.

    The first `subjects` samples are the concepts' pictures, the others class pictures.
    """

    subjects: int
    latents: Tensor
    prompts: list[str]
    # of prompts and class prompts; None: encode them now, the text encoder is being trained
    condition: Condition | None
    weights: Tensor
    sizes: Tensor  # (b, 6): each sample's Framing, as Condition has it
    masks: Tensor | None = None  # (b, 1, h, w), 1 where an error counts
    class_prompts: tuple[str, ...] = ()  # of the subjects' samples, where a penalty holds them
    part: PartOfBatch | None = None  # None: this is all of it

    @property
    def subjects_of_all(self) -> int:
        return self.part.subjects if self.part else self.subjects


class Batches:
    """The batches of a run by number; the same number gives the same batch, whatever came before."""

    def __init__(self, run: Run, model: Model, items: list[Item], text_trained: bool,
                 cache: Cache | None = None, share: Share = ALL):
        """cache: None keeps in memory what is encoded; share: of each batch, that this process has."""
        self.run, self.model, self.text_trained, self.share = run, model, text_trained, share
        self.items, self.held_out = split_held_out([i for i in items if not i.prior], run.data.held_out)
        self.classes = [i for i in items if i.prior]
        self.measured: list[MeasuredPicture] = []
        self.cache = cache or Cache()
        self.pictures, self.prompts = PictureStore(run, model, self.cache), PromptStore(run, model, self.cache)
        self.plan = Plan(run, self.items, len(self.classes), share.count)
        self.next_batch: dict[int, Batch] = {}  # by its number

    @property
    def per_epoch(self) -> int:
        return self.plan.per_epoch

    def prepare(self) -> Iterator[Prepared | Warned]:
        """Encodes what can be encoded once, then moves the encoders off the device.

        Unreadable pictures are left out.
        """
        make_room(self.model)
        self.items = yield from self.read_pictures()
        self.classes = yield from self.read_class_pictures()
        if not self.items:
            raise PictureError(NOTHING_READABLE)
        self.plan = Plan(self.run, self.items, len(self.classes), self.share.count)
        yield from self.read_measured()
        if not self.run.data.crops_vary:
            self.model.park("vae")
        if not self.text_trained and not self.run.data.captions_vary:
            yield from self.encode_prompts()
            self.model.park("te")
        self.model.fetch("unet")
        if problem := self.cache.flush():
            yield Warned(f"What was encoded stays in memory and is not kept for the next run. {problem}")
        for _ in self.plan.planning(0):
            yield Prepared("Planning the first epoch", 0.0)

    def encode_prompts(self) -> Iterator[Prepared]:
        everyone = [*self.items, *self.held_out, *self.classes]
        texts = sorted({"", *(text for item in everyone for text in (*item.prompts, item.class_prompt))})
        for n, text in enumerate(texts):
            if n % PROMPTS_AT_ONCE == 0:
                yield Prepared("Encoding prompts", n / len(texts))
            self.prompts.add(text)

    def read_pictures(self) -> Generator[Prepared | Warned, None, list[Item]]:
        """Returns the pictures that can be read."""
        def read(item: Item) -> Read:
            return self.pictures.read(item, self.pictures.variants(self.plan.size_of(item)), self.run.data.masked)

        return (yield from self.add_read(self.items, read, lambda item: f"Reading {item.path.name}"))

    def read_class_pictures(self) -> Generator[Prepared | Warned, None, list[Item]]:
        """Encodes each in every size that the pictures have, because a batch holds one size.

        Returns those that can be read.
        """
        variants = [Variant(size) for size in {self.plan.size_of(item) for item in self.items}]
        return (yield from self.add_read(self.classes, lambda item: self.pictures.read(item, variants, masked=False),
                                         lambda item: "Reading class pictures"))

    def add_read(self, items: list[Item], read: Callable[[Item], Read], what: Callable[[Item], str]
                 ) -> Generator[Prepared | Warned, None, list[Item]]:
        """Reads on threads, encodes on this one."""
        readable = []
        for n, (item, reading) in enumerate(done_ahead(read, items)):
            yield Prepared(what(item), n / len(items))
            try:
                self.pictures.add(reading.result())
                readable.append(item)
            except PictureError as error:
                yield Warned(f"Skipped: {error}")
        return readable

    def read_measured(self) -> Iterator[Prepared | Warned]:
        """The held-out pictures, or some of those trained on where none are held out."""
        chosen = in_fixed_order(self.held_out or self.items)[:MEASURED_PICTURES]
        for n, item in enumerate(chosen):
            yield Prepared("Reading pictures to measure on", n / len(chosen))
            try:
                variant = Variant(self.plan.size_of(item))
                middle, mask = self.pictures.middle_of(item, variant), self.pictures.mask(item, variant)
                self.measured.append(MeasuredPicture(picture_name(item), item.prompt, middle.latents, mask,
                                                     middle.framing))
            except PictureError as error:
                yield Warned(f"Skipped: {error}")

    def batch(self, number: int) -> Batch:
        """Batch number 0, 1, 2, ... of the run, across epochs, or the share of it."""
        return self.next_batch.pop(number, None) or self.put_together(number)

    def look_ahead(self, number: int) -> None:
        """Puts a batch together before it is needed, while a device still computes; not where the autoencoder would
        then compute on it too."""
        if not self.run.data.crops_vary and self.has(number):
            self.next_batch = {number: self.put_together(number)}

    def put_together(self, number: int) -> Batch:
        whole, device = self.plan.batch(number), self.model.device
        planned = whole.shared(self.share)
        subjects = [self.items[sample.item] for sample in planned.samples]
        classes = [self.classes[n] for n in planned.class_pictures]
        pictures = [
            *self.subject_pictures(planned),
            *(self.pictures.middle_of(item, Variant(planned.size)) for item in classes)
        ]
        prompts = [*planned.prompts, *(item.prompt for item in classes)]
        class_prompts = tuple(item.class_prompt for item in subjects) if self.run.prior.penalty else ()
        weights = torch.ones(len(pictures), device=device)
        weights[len(subjects):] = self.run.prior.weight
        return Batch(len(subjects), torch.stack([picture.latents for picture in pictures]).to(device), prompts,
                     self.condition_of([*prompts, *class_prompts]), weights,
                     sizes_of([picture.framing for picture in pictures]).to(device),
                     self.masks(planned).to(device) if self.run.data.masked else None, class_prompts,
                     PartOfBatch(whole.places(self.share), len(whole.samples), whole.count))

    def has(self, number: int) -> bool:
        """Whether the share has a sample of this batch: the last one of a size may be short."""
        return len(self.plan.batch(number).samples) > self.share.rank

    def subject_pictures(self, planned: PlannedBatch) -> Iterator[Encoded]:
        for s in planned.samples:
            key = planned.epoch, s.item, s.showing
            yield self.pictures.encoded_of(self.items[s.item], Variant(planned.size, s.mirrored), key)

    def masks(self, planned: PlannedBatch) -> Tensor:
        """(b, 1, h, w); everything counts in a class picture."""
        masks = [self.pictures.mask_of(self.items[s.item], Variant(planned.size, s.mirrored),
                                       (planned.epoch, s.item, s.showing)) for s in planned.samples]
        return torch.stack([*masks, *[torch.ones_like(masks[0])] * len(planned.class_pictures)])

    def condition_of(self, prompts: Sequence[str]) -> Condition | None:
        """None where the text encoder is being trained."""
        return None if self.text_trained else self.prompts.condition_of(prompts).to(self.model.device)


def make_room(model: Model) -> None:
    """Moves the UNet off a graphics card that is nearly full, while pictures are encoded."""
    if model.device.type == "cuda" and memory.free(model.device) < ROOM * model.sizes()["unet"]:
        model.park("unet")
