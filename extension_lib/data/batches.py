"""Batches: which pictures a step sees, with latents and prompts encoded as seldom as possible."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..config.run import Run
from ..events import Prepared, Warned
from ..model import Condition, Model
from ..support.seeds import random_for
from .buckets import bucket_of, buckets, fitted
from .captions import varied
from .folder import Item
from .held_out import PICTURES, Still, name_of, shuffled, split
from .masks import mask_of
from .pictures import PictureError, load


@dataclass(frozen=True)
class Batch:
    """What one micro-step learns from. Latents (b, 4, h, w) and weights (b,) fp32, on the model's device.

    The first `subjects` samples are the concepts' pictures, the others class pictures.
    """

    subjects: int
    latents: Tensor
    prompts: list[str]
    condition: Condition | None  # of prompts and class prompts; None: encode them now, the text encoder is being trained
    weights: Tensor
    masks: Tensor | None = None  # (b, 1, h, w), 1 where an error counts
    class_prompts: tuple[str, ...] = ()  # of the subjects' samples, where a penalty holds them


@dataclass(frozen=True)
class Sample:
    """One showing of one picture."""

    item: int
    showing: int  # tells apart the repeats within an epoch
    mirrored: bool


class Batches:
    """The batches of a run by number; the same number gives the same batch, whatever came before."""

    def __init__(self, run: Run, model: Model, items: list[Item], text_trained: bool):
        self.run, self.model = run, model
        self.items, self.held_out = split([i for i in items if not i.prior], run.data.held_out)
        self.classes = [i for i in items if i.prior]
        self.measured: list[Still] = []
        self.text_trained = text_trained
        self.sizes = buckets(run.data.resolution, run.data.buckets)
        self.latents: dict[tuple[int, bool], Tensor] = {}
        self.masks: dict[tuple[int, bool], Tensor] = {}
        self.class_latents: dict[tuple[int, tuple[int, int]], Tensor] = {}  # class picture, size
        self.conditions: dict[str, Tensor] = {}
        self.plans: dict[int, list[list[Sample]]] = {}

    @property
    def latents_vary(self) -> bool:
        return self.run.data.crop == "random"

    @property
    def prompts_vary(self) -> bool:
        return self.run.data.shuffle_captions

    def prepare(self) -> Iterator[Prepared | Warned]:
        """Encodes what can be encoded once, then moves the encoders off the device. Unreadable pictures are left out."""
        yield from self.read_pictures()
        if not self.items:
            raise PictureError("None of the pictures could be read.")
        yield from self.read_measured()
        if not self.latents_vary:
            self.model.park("vae")
        if not self.text_trained and not self.prompts_vary:
            self.encode_all_prompts()
            self.model.park("te")

    def read_pictures(self) -> Iterator[Prepared | Warned]:
        kept: list[Item] = []
        for n, item in enumerate(self.items):
            yield Prepared(f"Reading {item.path.name}", n / len(self.items))
            try:
                image = load(item.path)
                if not self.latents_vary:
                    for mirrored in self.mirrors():
                        self.latents[len(kept), mirrored] = self.encode(image, item, mirrored).cpu()
                        self.masks[len(kept), mirrored] = self.mask(item, mirrored)
                elif self.run.data.masked:
                    mask_of(item.path)  # one that cannot be read shows now, not in the step that needs it
                kept.append(item)
            except PictureError as error:
                yield Warned(f"Left out: {error}")
        self.items = kept
        yield from self.read_class_pictures()

    def read_class_pictures(self) -> Iterator[Prepared | Warned]:
        """In every size that the pictures have, because a batch holds one size."""
        sizes = {self.size_of(item) for item in self.items}
        kept: list[Item] = []
        for n, item in enumerate(self.classes):
            yield Prepared("Reading class pictures", n / len(self.classes))
            try:
                image = load(item.path)
                for size in sizes:
                    self.class_latents[len(kept), size] = self.encoded(fitted(image, size)).cpu()
                kept.append(item)
            except PictureError as error:
                yield Warned(f"Left out: {error}")
        self.classes = kept

    def read_measured(self) -> Iterator[Warned]:
        """Those held out, or without any some of those trained on."""
        known = {item.path: n for n, item in enumerate(self.items)}
        for item in shuffled(self.held_out or self.items)[:PICTURES]:
            try:
                latents = self.latents.get((known.get(item.path, -1), False))
                latents = self.encode(load(item.path), item, mirrored=False).cpu() if latents is None else latents
                self.measured.append(Still(name_of(item), item.prompt, latents, self.mask(item, mirrored=False)))
            except PictureError as error:
                yield Warned(f"Left out: {error}")

    def mirrors(self) -> tuple[bool, ...]:
        return (False, True) if self.run.data.flip else (False,)

    def encode_all_prompts(self) -> None:
        everyone = [*self.items, *self.held_out, *self.classes]
        for text in sorted({text for item in everyone for text in (*item.prompts, item.class_prompt)} | {""}):
            self.conditions[text] = self.encode_prompt(text).cpu()

    def encode_prompt(self, text: str) -> Tensor:
        """(tokens, width)"""
        data = self.run.data
        with torch.no_grad(), self.model.autocast():
            return self.model.encode_prompts([text], data.clip_skip, data.prompt_syntax).hidden[0].float()

    def size_of(self, item: Item) -> tuple[int, int]:
        return bucket_of(item.width, item.height, self.sizes)

    def encode(self, image: Image.Image, item: Item, mirrored: bool, crop_key: object = None) -> Tensor:
        """Scaled latents (4, h/8, w/8)."""
        crop = random_for("crop", self.run.training.seed, crop_key) if crop_key is not None else None
        return self.encoded(fitted(image, self.size_of(item), crop), mirrored)

    def mask(self, item: Item, mirrored: bool, crop_key: object = None) -> Tensor:
        """(1, h/8, w/8): how much of each place counts."""
        size = self.size_of(item)
        found = mask_of(item.path) if self.run.data.masked else None
        if found is None:
            return torch.ones(1, size[1] // 8, size[0] // 8)
        crop = random_for("crop", self.run.training.seed, crop_key) if crop_key is not None else None
        cut = fitted(found.resize((item.width, item.height)), size, crop)
        small = cut.resize((size[0] // 8, size[1] // 8), Image.Resampling.BOX)
        values = torch.from_numpy(np.array(small)).float()[None] / 255
        return values.flip(2) if mirrored else values

    def encoded(self, image: Image.Image, mirrored: bool = False) -> Tensor:
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 127.5 - 1
        pixels = pixels.flip(2) if mirrored else pixels
        return self.model.encode_images(pixels[None].to(self.model.device))[0]

    @cached_property
    def per_epoch(self) -> int:
        """Batches; the same in every epoch. To be asked when the pictures have been read."""
        return len(self.planned(0))

    def plan(self, epoch: int) -> list[list[Sample]]:
        """The batches of an epoch: every picture as often as it repeats, shuffled, sizes kept apart."""
        if epoch not in self.plans:
            self.plans = {epoch: self.planned(epoch)}
        return self.plans[epoch]

    def planned(self, epoch: int) -> list[list[Sample]]:
        rng = random_for("epoch", self.run.training.seed, epoch)
        by_size: dict[tuple[int, int], list[Sample]] = {}
        for n, item in enumerate(self.items):
            samples = by_size.setdefault(self.size_of(item), [])
            for showing in range(item.repeats):
                samples.append(Sample(n, showing, rng.random() < 0.5 if self.run.data.flip else False))
        size = self.run.training.batch_size
        plan = []
        for samples in by_size.values():
            rng.shuffle(samples)
            plan += [samples[i:i + size] for i in range(0, len(samples), size)]
        rng.shuffle(plan)
        return plan

    def at(self, number: int) -> Batch:
        """Batch number 0, 1, 2, ... of the run, across epochs."""
        epoch, place = divmod(number, self.per_epoch)
        samples = self.plan(epoch)[place]
        prompts = [varied(self.items[s.item].prompts, self.run.data, self.run.training.seed, epoch, s.item, s.showing)
                   for s in samples]
        device, subjects = self.model.device, len(samples)
        latents = [self.latents_of(s, epoch) for s in samples]
        masks = [self.mask_at(s, epoch) for s in samples]
        if self.classes:
            rng = random_for("class", self.run.training.seed, number)
            chosen = [rng.randrange(len(self.classes)) for _ in samples]
            size = self.size_of(self.items[samples[0].item])
            latents += [self.class_latents[n, size] for n in chosen]
            masks += [torch.ones_like(masks[0])] * len(chosen)
            prompts += [self.classes[n].prompt for n in chosen]
        weights = torch.ones(len(latents), device=device)
        weights[subjects:] = self.run.prior.weight
        held = tuple(self.items[s.item].class_prompt for s in samples) if self.run.prior.penalty else ()
        return Batch(subjects, torch.stack(latents).to(device), prompts, self.condition_of([*prompts, *held]), weights,
                     torch.stack(masks).to(device) if self.run.data.masked else None, held)

    def condition_of(self, prompts: Sequence[str]) -> Condition | None:
        """None where the text encoder is being trained."""
        return None if self.text_trained else Condition(self.hidden_of(list(prompts)).to(self.model.device))

    def mask_at(self, sample: Sample, epoch: int) -> Tensor:
        if not self.latents_vary:
            return self.masks[sample.item, sample.mirrored]
        return self.mask(self.items[sample.item], sample.mirrored, (epoch, sample.item, sample.showing))

    def latents_of(self, sample: Sample, epoch: int) -> Tensor:
        if not self.latents_vary:
            return self.latents[sample.item, sample.mirrored]
        item = self.items[sample.item]
        return self.encode(load(item.path), item, sample.mirrored, (epoch, sample.item, sample.showing)).cpu()

    def hidden_of(self, prompts: list[str]) -> Tensor:
        """(prompts, tokens, width); shorter ones are filled up with empty chunks, as encode_prompts does."""
        if self.prompts_vary:
            data = self.run.data
            with torch.no_grad(), self.model.autocast():
                return self.model.encode_prompts(prompts, data.clip_skip, data.prompt_syntax).hidden.float()
        states = [self.conditions[prompt] for prompt in prompts]
        longest, empty = max(len(s) for s in states), self.conditions[""]
        return torch.stack([torch.cat([s, *[empty] * ((longest - len(s)) // len(empty))]) for s in states])
