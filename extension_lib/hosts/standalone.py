"""Darkroom without a WebUI: the model is loaded and drawn with by diffusers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..events import Event
from ..host import Checkpoint, Folders, HostError, Picture
from ..model import Model
from ..practice import BASE, NAME
from . import detect, merging, sampling, tags
from .diffusers_view import DiffusersView
from .lent import frozen

SD1_CONFIG = Path(__file__).parent / "sd1"
CLIP_TOKENIZER = "openai/clip-vit-large-patch14"


def folders(root: Path) -> Folders:
    return Folders(lora=root / "loras", embeddings=root / "embeddings", hypernetworks=root / "hypernetworks",
                   checkpoints=root / "checkpoints", workspaces=root / "workspaces")


@dataclass
class Loaded:
    checkpoint: Checkpoint
    view: DiffusersView
    betas: Tensor


class Standalone:
    """A host of our own: toyland's base and any Stable Diffusion 1 file, one loaded at a time."""

    name = "standalone"

    def __init__(self, root: Path, device: str | None = None, dtype: torch.dtype | None = None):
        self.folders = folders(root)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.dtype = dtype or (torch.float16 if self.device.type == "cuda" else torch.float32)
        self.lock = threading.RLock()
        self.loaded: Loaded | None = None
        self.lent: Loaded | None = None

    def checkpoints(self) -> list[Checkpoint]:
        own = sorted(self.folders.checkpoints.rglob("*.safetensors")) if self.folders.checkpoints.exists() else []
        base = [Checkpoint(NAME, BASE)] if BASE.exists() else []
        return base + [Checkpoint(path.stem, path) for path in own]

    def current(self) -> Checkpoint | None:
        if self.loaded:
            return self.loaded.checkpoint
        return next(iter(self.checkpoints()), None)

    def load(self, checkpoint: Checkpoint) -> Loaded:
        """The checkpoint ready to use; stays loaded until another is asked for. Raises HostError."""
        if self.loaded is None or self.loaded.checkpoint.path != checkpoint.path:
            self.loaded = None  # first give the memory back
            pipeline = pipeline_of(checkpoint.path, self.dtype).to(self.device)
            view = DiffusersView(pipeline, self.device, self.dtype)
            self.loaded = Loaded(checkpoint, view, pipeline.scheduler.betas.float().cpu())
        return self.loaded

    @contextmanager
    def borrow(self, checkpoint: Checkpoint) -> Iterator[Model]:
        with self.lock:
            loaded = self.load(checkpoint)
            view = loaded.view
            with frozen(view.unet, view.text_model, view.vae):
                self.lent = loaded
                try:
                    yield view
                finally:
                    self.lent = None
                    view.unpark()
                    view.parked.clear()

    def draw(self, pictures: list[Picture]) -> list[Image.Image]:
        with self.lock:
            loaded = self.lent or self.load(self.current_or_fail())
            loaded.view.unpark()
            images: dict[int, Image.Image] = {}
            with frozen(loaded.view.unet, loaded.view.text_model) if loaded is not self.lent else nullcontext():
                for wanted, numbered in grouped_by_tags(pictures).items():
                    with merging.merged(loaded.view.layers(), [(self.file_of(tag), tag) for tag in wanted]):
                        drawn = sampling.draw(loaded.view, loaded.betas, [p for _, p in numbered])
                    images.update(zip((n for n, _ in numbered), drawn))
            loaded.view.repark()
            return [images[n] for n in range(len(pictures))]

    def current_or_fail(self) -> Checkpoint:
        checkpoint = self.current()
        if checkpoint is None:
            raise HostError(f"There is no checkpoint. Put a .safetensors file into {self.folders.checkpoints}.")
        return checkpoint

    def file_of(self, tag: tags.Tag) -> Path:
        """Raises HostError when no file has that name."""
        if tag.kind != "lora":
            raise HostError(f"<{tag.kind}:{tag.name}> is not known here; use <lora:name:weight>.")
        for path in self.folders.lora.rglob("*.safetensors"):
            if path.stem == tag.name:
                return path
        raise HostError(f"There is no LoRA {tag.name} in {self.folders.lora}.")

    def deltas(self, path: Path) -> dict[str, Tensor]:
        with self.lock:
            return merging.deltas(path, (self.lent or self.load(self.current_or_fail())).view.layers())

    def forget(self, path: Path) -> None:
        """Nothing is kept of files between two drawings."""

    def show(self, event: Event) -> None:
        """There is no progress bar but the page's own."""

    def stopping(self) -> bool:
        return False

    def refresh(self) -> None:
        """Folders are read anew whenever a tag is used."""


def grouped_by_tags(pictures: list[Picture]) -> dict[tuple[tags.Tag, ...], list[tuple[int, Picture]]]:
    """Pictures with their numbers by the tags in their prompts, which are taken out."""
    out: dict[tuple[tags.Tag, ...], list[tuple[int, Picture]]] = {}
    for n, picture in enumerate(pictures):
        prompt, wanted = tags.split(picture.prompt)
        out.setdefault(tuple(wanted), []).append((n, replace(picture, prompt=prompt)))
    return out


def pipeline_of(path: Path, dtype: torch.dtype) -> Any:
    """The file as a diffusers pipeline, without network. Raises HostError.

    A folder of the same stem beside the file holds its configuration; without one it is Stable Diffusion 1's own.
    """
    from diffusers import StableDiffusionPipeline

    detect.require_sd1(path)
    own = path.with_suffix("")
    settings: dict[str, Any] = {"torch_dtype": dtype, "local_files_only": True}
    if own.is_dir():
        return StableDiffusionPipeline.from_single_file(path, config=str(own), **settings)
    return StableDiffusionPipeline.from_single_file(path, config=str(SD1_CONFIG), tokenizer=clip_tokenizer(), **settings)


def clip_tokenizer() -> Any:
    from transformers import CLIPTokenizer

    try:
        return CLIPTokenizer.from_pretrained(CLIP_TOKENIZER)
    except OSError as error:
        raise HostError(f"The tokenizer of CLIP is needed once and could not be had ({error}). "
                        f"Go online once, or put {CLIP_TOKENIZER} into the Hugging Face cache.") from None
