"""What is encoded once and kept in memory: latents and masks of pictures, conditions of prompts."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..config.run import Run
from ..families.family import PIXELS_PER_LATENT
from ..model import Condition, Framing, Model
from ..support.seeds import random_for
from .buckets import Size, fitted
from .folder import Item
from .masks import read_mask
from .pictures import load_picture

Key = tuple[Path, Size, bool]  # a picture, the size that it is cut to, and whether it is mirrored


class Encoded(NamedTuple):
    latents: Tensor  # (4, h/8, w/8), scaled
    framing: Framing


class PictureStore:
    """Latents and masks of pictures, on the CPU. With random crops nothing is kept: each showing is encoded anew."""

    def __init__(self, run: Run, model: Model):
        self.run, self.model = run, model
        self.encoded: dict[Key, Encoded] = {}
        self.masks: dict[Key, Tensor] = {}

    @property
    def random_crops(self) -> bool:
        return self.run.data.crop == "random"

    def add(self, item: Item, size: Size) -> None:
        """Encodes a picture; with random crops it is only read, to find out now whether that works.

        Raises PictureError.
        """
        image = load_picture(item.path)
        if self.random_crops:
            if self.run.data.masked:
                read_mask(item.path)
            return
        for mirrored in (False, True) if self.run.data.flip else (False,):
            self.encoded[item.path, size, mirrored] = self.encode(image, size, mirrored)
            self.masks[item.path, size, mirrored] = self.read_mask(item, size, mirrored)

    def add_class_picture(self, item: Item, sizes: Iterable[Size]) -> None:
        """Encodes a picture in each of these sizes. Raises PictureError."""
        image = load_picture(item.path)
        for size in sizes:
            self.encoded[item.path, size, False] = self.encode(image, size)

    def encoded_of(self, item: Item, size: Size, mirrored: bool, crop_key: object) -> Encoded:
        """crop_key: decides the crop, where crops are random."""
        if self.random_crops:
            return self.encode(load_picture(item.path), size, mirrored, crop_key)
        return self.encoded[item.path, size, mirrored]

    def class_picture(self, item: Item, size: Size) -> Encoded:
        return self.encoded[item.path, size, False]

    def mask_of(self, item: Item, size: Size, mirrored: bool, crop_key: object) -> Tensor:
        """(1, h/8, w/8), cut as the latents are."""
        if self.random_crops:
            return self.read_mask(item, size, mirrored, crop_key)
        return self.masks[item.path, size, mirrored]

    def middle_of(self, item: Item, size: Size) -> tuple[Encoded, Tensor]:
        """The picture's middle and its mask, whatever the crops are. Raises PictureError."""
        held = self.encoded.get((item.path, size, False))
        return held or self.encode(load_picture(item.path), size), self.read_mask(item, size)

    def encode(self, image: Image.Image, size: Size, mirrored: bool = False, crop_key: object = None) -> Encoded:
        """The picture's middle, or the crop that the key decides."""
        cut, framing = fitted(image, size, self.random_crop(crop_key), mirrored)
        pixels = torch.from_numpy(np.array(cut)).permute(2, 0, 1).float() / 127.5 - 1
        return Encoded(self.model.encode_images(pixels[None].to(self.model.device))[0].cpu(), framing)

    def read_mask(self, item: Item, size: Size, mirrored: bool = False, crop_key: object = None) -> Tensor:
        """(1, h/8, w/8): how much of each place counts."""
        mask = read_mask(item.path) if self.run.data.masked else None
        if mask is None:
            return torch.ones(1, size[1] // PIXELS_PER_LATENT, size[0] // PIXELS_PER_LATENT)
        cut = fitted(mask.resize((item.width, item.height)), size, self.random_crop(crop_key), mirrored).image
        small = cut.resize((size[0] // PIXELS_PER_LATENT, size[1] // PIXELS_PER_LATENT), Image.Resampling.BOX)
        return torch.from_numpy(np.array(small)).float()[None] / 255

    def random_crop(self, key: object) -> Random | None:
        return None if key is None else random_for("crop", self.run.training.seed, key)


class PromptStore:
    """Conditions of prompts, on the CPU.

    Where captions are shuffled nothing is kept: each prompt is encoded anew.
    """

    def __init__(self, run: Run, model: Model):
        self.run, self.model = run, model
        self.conditions: dict[str, Condition] = {}

    @property
    def shuffled_captions(self) -> bool:
        return self.run.data.shuffle_captions

    def add(self, prompt: str) -> None:
        self.conditions[prompt] = self.encode([prompt]).cpu()

    def encode(self, prompts: list[str]) -> Condition:
        data = self.run.data
        with torch.no_grad(), self.model.autocast():
            return self.model.encode_prompts(prompts, data.clip_skip, data.prompt_syntax).float()

    def condition_of(self, prompts: Sequence[str]) -> Condition:
        if self.shuffled_captions:
            return self.encode(list(prompts))
        return Condition.joined([self.conditions[prompt] for prompt in prompts], self.conditions[""])
