"""Darkroom without a WebUI: the model is loaded and drawn with by diffusers."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..events import Event
from ..families.kind import CheckpointKind
from ..host import Checkpoint, Folders, HostError, Picture
from ..model import Model
from ..models.detect import contradictions, kind_of, require_trainable
from ..models.diffusers_pipeline import diffusion_of
from ..models.diffusers_view import DiffusersView, load_view
from ..models.frozen import frozen
from ..setup.practice import BASE, NAME
from ..support.disk import files_in, modified_time
from .drawing.drawing import draw_with_files
from .drawing.readers import READERS


def folders(root: Path) -> Folders:
    return Folders(lora=root / "loras", embeddings=root / "embeddings", hypernetworks=root / "hypernetworks",
                   checkpoints=root / "checkpoints", workspaces=root / "workspaces")


@dataclass
class Loaded:
    checkpoint: Checkpoint
    view: DiffusersView
    version: float = field(init=False)  # when its file was written
    kind: CheckpointKind = field(init=False)

    def __post_init__(self) -> None:
        self.kind = require_trainable(self.checkpoint.path)
        self.version = modified_time(self.checkpoint.path)


class Standalone:
    """Toyland's base and any checkpoint of a known family, one of them loaded at a time."""

    name = "standalone"
    unsupported = ""

    def __init__(self, root: Path, device: str | None = None, dtype: torch.dtype | None = None):
        self.folders = folders(root)
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.dtype = dtype or (torch.float16 if self.device.type == "cuda" else torch.float32)
        self.lock = threading.RLock()
        self.ready: Loaded | None = None
        self.borrowed: Loaded | None = None
        self.borrower: int | None = None  # the thread that trains
        self.counting, self.asked = threading.Lock(), 0  # drawings that others want or wait for

    def checkpoints(self) -> list[Checkpoint]:
        own = [path for path in files_in(self.folders.checkpoints) if path.suffix.lower() == ".safetensors"]
        base = [Checkpoint(NAME, BASE)] if BASE.exists() else []
        return base + [Checkpoint(path.stem, path) for path in own]

    def current(self) -> Checkpoint | None:
        if self.ready:
            return self.ready.checkpoint
        return next(iter(self.checkpoints()), None)

    def kind(self, checkpoint: Checkpoint) -> CheckpointKind | None:
        return kind_of(checkpoint)

    def advice(self, checkpoint: Checkpoint) -> list[str]:
        return contradictions(checkpoint)

    def missing_description(self, checkpoint: Checkpoint) -> None:
        """The checkpoint's own marks and the choice of a person are enough."""

    def write_description(self, checkpoint: Checkpoint) -> Path:
        raise HostError("No description is missing here.")

    def unusable(self, method: Any) -> str:
        return ""

    def unread(self, tensors: Mapping[str, Tensor]) -> list[str]:
        return []

    def tokens(self) -> Callable[[str], Sequence[int]] | None:
        return self.ready.view.tokens if self.ready else None

    def captioners(self) -> tuple[str, ...]:
        return ()

    def caption(self, how: str, images: Iterable[Image.Image]) -> Iterator[str]:
        raise HostError("Captioning pictures needs the WebUI's interrogators.")

    def load(self, checkpoint: Checkpoint) -> Loaded:
        """The checkpoint ready to use; stays loaded until another is asked for. Raises HostError."""
        with self.lock:
            version = modified_time(checkpoint.path)  # a file may be replaced under its path
            if self.ready is None or (self.ready.checkpoint.path, self.ready.version) != (checkpoint.path, version):
                self.ready = None  # first give the memory back
                self.ready = Loaded(checkpoint, load_view(checkpoint.path, self.device, self.dtype))
            return self.ready

    @contextmanager
    def borrow(self, checkpoint: Checkpoint) -> Iterator[Model]:
        with self.lock:
            loaded = self.load(checkpoint)
            view, own = loaded.view, loaded.view.diffusion
            with frozen(view.unet, *view.text_models, view.vae):
                self.borrowed, self.borrower = loaded, threading.get_ident()
                try:
                    if checkpoint.prediction:
                        view.diffusion = diffusion_of(view.pipeline, loaded.kind, checkpoint.prediction)
                    yield view
                finally:
                    self.borrowed, self.borrower, view.diffusion = None, None, own
                    view.unpark()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Within, a drawing counts as wanted, unless it is a job's own."""
        count = int(self.borrower != threading.get_ident())
        with self.counting:
            self.asked += count
        try:
            yield
        finally:
            with self.counting:
                self.asked -= count

    def draw(self, pictures: list[Picture]) -> list[Image.Image]:
        with self.asking(), self.lock:
            loaded = self.borrowed or self.load(self.current_or_fail())
            unchanged = nullcontext() if loaded is self.borrowed else frozen(loaded.view.unet, *loaded.view.text_models)
            with unchanged, loaded.view.unparked():
                return draw_with_files(loaded.view, self.folders, pictures)

    def current_or_fail(self) -> Checkpoint:
        checkpoint = self.current()
        if checkpoint is None:
            raise HostError(f"There is no checkpoint. Put a .safetensors file into {self.folders.checkpoints}.")
        return checkpoint

    def read_back(self, path: Path, kind: str) -> Mapping[str, Tensor]:
        with self.lock:
            return READERS[kind](path, (self.borrowed or self.load(self.current_or_fail())).view)

    def forget(self, path: Path) -> None:
        """Only the checkpoint stays in memory between two drawings."""
        if self.ready and self.ready is not self.borrowed and self.ready.checkpoint.path == path:
            self.ready = None

    def show(self, event: Event) -> None:
        """There is no progress bar but the page's own."""

    def wanted(self) -> bool:
        return self.asked > 0

    def stopping(self) -> bool:
        return False

    def refresh(self) -> None:
        """Folders are read each time a tag is used."""
