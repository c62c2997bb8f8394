"""What is encoded once: latents and masks of pictures, conditions of prompts."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..config.run import Run
from ..families.family import PIXELS_PER_LATENT
from ..model import Condition, Framing, Model
from ..support.digests import digest_of, digest_of_file
from .buckets import Size
from .cache import Cache
from .crops import MIDDLE, Crop, Fitted, fitted, random_crop
from .folder import Item
from .masks import mask_file, read_mask
from .pictures import load_picture, unreadable
from .shards import Entry, Shards

LARGE = 20_000_000  # pixels; such pictures are read one at a time


Read = dict[str, Fitted]  # pictures to be encoded, by their keys


class Variant(NamedTuple):
    """How a picture is shown."""

    size: Size
    mirrored: bool = False


class Encoded(NamedTuple):
    latents: Tensor  # (4, h/8, w/8), scaled
    framing: Framing


class PictureStore:
    """Latents and masks of pictures, on the CPU. Where crops vary nothing is kept: each showing is encoded anew."""

    def __init__(self, run: Run, model: Model, cache: Cache):
        self.run, self.model = run, model
        self.digests: dict[Path, str] = {}  # of files
        self.large = Lock()
        self.kept = cache.shards(lambda: model.encoder_digest("vae"))

    def variants(self, size: Size) -> list[Variant]:
        """Those in which a picture is shown that are encoded once."""
        mirrored = (False, True) if self.run.data.flip else (False,)
        return [] if self.run.data.crops_vary else [Variant(size, one) for one in mirrored]

    def read(self, item: Item, variants: Iterable[Variant], masked: bool) -> Read:
        """What add() needs of a picture: the variants that are not kept yet, by their keys. On any thread.

        Where crops vary it is only read, to find out now whether that works. Raises PictureError.
        """
        missing = {key: one for one in variants if self.kept.get(key := self.latents_key(item, one)) is None}
        for one in variants if masked else ():
            self.mask(item, one)
        if masked and self.run.data.crops_vary:
            read_mask(item.path)
        if not missing and (item.prior or not self.run.data.crops_vary):
            return {}
        image = self.load(item)
        return {key: fitted(image, one.size, MIDDLE, one.mirrored) for key, one in missing.items()}

    def load(self, item: Item) -> Image.Image:
        with self.large if item.width * item.height > LARGE else nullcontext():
            return load_picture(item.path)

    def add(self, read: Read) -> None:
        for key, one in read.items():
            if self.kept.get(key) is None:  # another picture may be the same
                self.kept.put(key, self.entry(one))

    def entry(self, cut: Fitted) -> Entry:
        return {"latents": self.encode(cut.image), "framing": torch.tensor(cut.framing.numbers)}

    def latents_key(self, item: Item, variant: Variant) -> str:
        return digest_of("latents", self.digest(item.path), variant)

    def digest(self, path: Path) -> str:
        """Of a file as it was when this run first looked at it. Raises PictureError."""
        if path not in self.digests:
            try:
                self.digests[path] = digest_of_file(path)
            except OSError as error:
                raise unreadable(path, error) from error
        return self.digests[path]

    def encoded_of(self, item: Item, variant: Variant, crop_key: object) -> Encoded:
        """crop_key: decides the crop, where crops vary."""
        if self.run.data.crops_vary:
            cut = fitted(self.load(item), variant.size, self.crop(crop_key), variant.mirrored)
            return Encoded(self.encode(cut.image), cut.framing)
        return self.middle_of(item, variant)

    def middle_of(self, item: Item, variant: Variant) -> Encoded:
        """The picture's middle, whatever the crops are. Raises PictureError."""
        key = self.latents_key(item, variant)
        if (held := self.kept.get(key)) is None:
            self.add({key: fitted(self.load(item), variant.size, MIDDLE, variant.mirrored)})
            held = self.kept.get(key)
        assert held
        return Encoded(held["latents"], Framing.of(held["framing"].tolist()))

    def encode(self, cut: Image.Image) -> Tensor:
        """One at a time: latents would not be the same, bit for bit, with other pictures beside."""
        pixels = torch.from_numpy(np.array(cut)).permute(2, 0, 1).float() / 127.5 - 1
        return self.model.encode_images(pixels[None].to(self.model.device))[0].cpu().contiguous()

    def mask_of(self, item: Item, variant: Variant, crop_key: object) -> Tensor:
        """(1, h/8, w/8), cut as the latents are."""
        if self.run.data.crops_vary:
            return self.read_mask(item, variant, crop_key).float() / 255
        return self.mask(item, variant)

    def mask(self, item: Item, variant: Variant) -> Tensor:
        """Of the picture's middle: (1, h/8, w/8), how much of each place counts. Raises PictureError."""
        if not self.run.data.masked:
            return self.everything(variant.size).float() / 255
        key = digest_of("mask", self.digest(item.path), self.digest(mask_file(item.path)), variant)
        if (held := self.kept.get(key)) is None:
            held = {"mask": self.read_mask(item, variant)}
            self.kept.put(key, held)
        return held["mask"].float() / 255

    def read_mask(self, item: Item, variant: Variant, crop_key: object = None) -> Tensor:
        """(1, h/8, w/8) bytes, 255 where everything counts."""
        mask, small = read_mask(item.path), latent_size(variant.size)
        if mask is None:
            return self.everything(variant.size)
        cut = fitted(mask.resize((item.width, item.height)), variant.size, self.crop(crop_key), variant.mirrored)
        return torch.from_numpy(np.array(cut.image.resize(small, Image.Resampling.BOX)))[None]

    def everything(self, size: Size) -> Tensor:
        return torch.full((1, *reversed(latent_size(size))), 255, dtype=torch.uint8)

    def crop(self, key: object) -> Crop:
        return MIDDLE if key is None else random_crop(self.run.data, self.run.training.seed, key)


def latent_size(size: Size) -> Size:
    return size[0] // PIXELS_PER_LATENT, size[1] // PIXELS_PER_LATENT


class PromptStore:
    """Conditions of prompts, on the CPU.

    Where captions vary nothing is kept: each prompt is encoded anew.
    """

    def __init__(self, run: Run, model: Model, cache: Cache):
        self.run, self.model, self.cache = run, model, cache
        self.keys: dict[str, str] = {}  # of prompts that were encoded

    @cached_property
    def kept(self) -> Shards:
        return self.cache.shards(lambda: self.model.encoder_digest("te"))

    def add(self, prompt: str) -> Condition:
        """The prompt's condition, encoded now where it was not yet."""
        if prompt not in self.keys:
            self.keys[prompt] = self.model.prompt_digest(prompt, self.run.data.clip_skip, self.run.data.prompt_syntax)
        if (held := self.kept.get(self.keys[prompt])) is None:
            held = self.encode([prompt]).cpu().named()
            self.kept.put(self.keys[prompt], held)
        return Condition(**held)

    def encode(self, prompts: list[str]) -> Condition:
        data = self.run.data
        with torch.no_grad(), self.model.autocast():
            return self.model.encode_prompts(prompts, data.clip_skip, data.prompt_syntax).float()

    def condition_of(self, prompts: Sequence[str]) -> Condition:
        if self.run.data.captions_vary:
            return self.encode(list(prompts))
        return Condition.joined([self.add(prompt) for prompt in prompts], self.add(""))
