"""Darkroom without a WebUI: the model is loaded and drawn with by diffusers."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..events import Event
from ..export import checkpoint, embedding, hypernetwork, lora
from ..host import Checkpoint, Folders, HostError, Picture
from ..methods.adapter import FormatError
from ..model import Model
from ..models.diffusers_pipeline import pipeline_of
from ..models.diffusers_view import DiffusersView
from ..models.frozen import frozen
from ..setup.practice import BASE, NAME
from .drawing import merging, sampling, tags


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
    unsupported = ""

    def __init__(self, root: Path, device: str | None = None, dtype: torch.dtype | None = None):
        self.folders = folders(root)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.dtype = dtype or (torch.float16 if self.device.type == "cuda" else torch.float32)
        self.lock = threading.RLock()
        self.ready: Loaded | None = None
        self.lent: Loaded | None = None

    def checkpoints(self) -> list[Checkpoint]:
        own = sorted(self.folders.checkpoints.rglob("*.safetensors")) if self.folders.checkpoints.exists() else []
        base = [Checkpoint(NAME, BASE)] if BASE.exists() else []
        return base + [Checkpoint(path.stem, path) for path in own]

    def current(self) -> Checkpoint | None:
        if self.ready:
            return self.ready.checkpoint
        return next(iter(self.checkpoints()), None)

    def tokens(self) -> Callable[[str], Sequence[int]] | None:
        return self.ready.view.tokens if self.ready else None

    def describers(self) -> tuple[str, ...]:
        return ()

    def describe(self, how: str, images: Iterable[Image.Image]) -> Iterator[str]:
        raise HostError("Describing pictures needs the WebUI's interrogators.")

    def load(self, checkpoint: Checkpoint) -> Loaded:
        """The checkpoint ready to use; stays loaded until another is asked for. Raises HostError."""
        with self.lock:
            if self.ready is None or self.ready.checkpoint.path != checkpoint.path:
                self.ready = None  # first give the memory back
                pipeline = pipeline_of(checkpoint.path, self.dtype).to(self.device)
                view = DiffusersView(pipeline, self.device, self.dtype)
                self.ready = Loaded(checkpoint, view, pipeline.scheduler.betas.float().cpu())
            return self.ready

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

    def draw(self, pictures: list[Picture]) -> list[Image.Image]:
        with self.lock:
            loaded = self.lent or self.load(self.current_or_fail())
            images: dict[int, Image.Image] = {}
            undisturbed = nullcontext() if loaded is self.lent else frozen(loaded.view.unet, loaded.view.text_model)
            with undisturbed, loaded.view.unparked(), self.known_words(loaded.view):
                for wanted, numbered in grouped_by_tags(pictures).items():
                    files = [(self.file_of(tag), tag) for tag in wanted]
                    adapters = [(path, tag) for path, tag in files if tag.kind == "lora"]
                    networks = [(read_hypernetwork(path), tag) for path, tag in files if tag.kind == "hypernet"]
                    layers = loaded.view.layers()
                    with (self.bundled(loaded.view, adapters), merging.merged(layers, adapters),
                          merging.before_attention(layers, networks)):
                        drawn = sampling.draw(loaded.view, loaded.betas, [p for _, p in numbered])
                    images.update(zip((n for n, _ in numbered), drawn))
            return [images[n] for n in range(len(pictures))]

    @contextmanager
    def bundled(self, view: DiffusersView, adapters: list[tuple[Path, tags.Tag]]) -> Iterator[None]:
        """Within, the words that these files bring along are known, unless there is an embedding of that name."""
        with ExitStack() as undo:
            for path, _ in adapters:
                for name, vectors in lora.bundled_words(path).items():
                    if not view.words.has(name):
                        view.add_word(name, vectors.to(view.device))
                        undo.callback(view.remove_word, name)
            yield

    @contextmanager
    def known_words(self, view: DiffusersView) -> Iterator[None]:
        """Within, every file in the folder of embeddings that fits this checkpoint is a word, but those being learned."""
        with ExitStack() as undo:
            for path in sorted(self.folders.embeddings.rglob("*")) if self.folders.embeddings.exists() else []:
                if path.suffix in embedding.SUFFIXES and not view.words.has(path.stem):
                    with suppress(HostError):  # as in the WebUI, one of another family keeps no picture from being drawn
                        vectors = embedding_of(path, view)["vectors"]
                        view.add_word(path.stem, vectors.to(view.device))
                        undo.callback(view.remove_word, path.stem)
            yield

    def current_or_fail(self) -> Checkpoint:
        checkpoint = self.current()
        if checkpoint is None:
            raise HostError(f"There is no checkpoint. Put a .safetensors file into {self.folders.checkpoints}.")
        return checkpoint

    def file_of(self, tag: tags.Tag) -> Path:
        """Raises HostError when no file has that name."""
        if tag.kind not in TAGGED:
            raise HostError(f"<{tag.kind}:{tag.name}> is not known here; use <lora:name:weight> or <hypernet:name:weight>.")
        folder_name, suffixes = TAGGED[tag.kind]
        folder: Path = getattr(self.folders, folder_name)
        for path in folder.rglob("*") if folder.exists() else ():
            if path.stem == tag.name and path.suffix in suffixes:
                return path
        raise HostError(f"There is no {tag.kind} {tag.name} in {folder}.")

    def loaded(self, path: Path, kind: str) -> Mapping[str, Tensor]:
        with self.lock:
            return LOADERS[kind](path, (self.lent or self.load(self.current_or_fail())).view)

    def forget(self, path: Path) -> None:
        """Nothing is kept of files between two drawings but the checkpoint."""
        if self.ready and self.ready is not self.lent and self.ready.checkpoint.path == path:
            self.ready = None

    def show(self, event: Event) -> None:
        """There is no progress bar but the page's own."""

    def stopping(self) -> bool:
        return False

    def refresh(self) -> None:
        """Folders are read anew whenever a tag is used."""


def deltas_of(path: Path, view: DiffusersView) -> Mapping[str, Tensor]:
    return merging.deltas(path, view.layers())


def embedding_of(path: Path, view: DiffusersView) -> dict[str, Tensor]:
    """Raises HostError for a file that is none, or one for another text encoder."""
    try:
        vectors = embedding.read(path)
    except FormatError as error:
        raise HostError(str(error)) from None
    width = view.vocabulary().shape[1]
    if vectors.shape[1] != width:
        raise HostError(f"The embedding {path.name} is {vectors.shape[1]} wide, but this checkpoint's words are {width} wide.")
    return {"vectors": vectors}


def networks_of(path: Path, view: DiffusersView) -> dict[str, Tensor]:
    return read_hypernetwork(path).tensors()


def weights_of(path: Path, view: DiffusersView) -> dict[str, Tensor]:
    """The file's values of everything that can be trained."""
    return checkpoint.read(path, [w.name for w in view.weights() if w.parameter.requires_grad])


def read_hypernetwork(path: Path) -> hypernetwork.Read:
    """Raises HostError."""
    try:
        return hypernetwork.read(path)
    except FormatError as error:
        raise HostError(str(error)) from None


LOADERS = {"lora": deltas_of, "embedding": embedding_of, "hypernetwork": networks_of, "checkpoint": weights_of}
TAGGED = {"lora": ("lora", (".safetensors",)), "hypernet": ("hypernetworks", (".pt",))}  # kind of tag -> folder, suffixes


def grouped_by_tags(pictures: list[Picture]) -> dict[tuple[tags.Tag, ...], list[tuple[int, Picture]]]:
    """Pictures with their numbers by the tags in their prompts, which are taken out."""
    out: dict[tuple[tags.Tag, ...], list[tuple[int, Picture]]] = {}
    for n, picture in enumerate(pictures):
        prompt, wanted = tags.split(picture.prompt)
        out.setdefault(tuple(wanted), []).append((n, replace(picture, prompt=prompt)))
    return out
