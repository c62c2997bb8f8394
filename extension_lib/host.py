"""What training needs of the program that holds the model: the host."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .errors import DarkroomError
from .events import Event
from .families.family import PIXELS_PER_LATENT
from .families.kind import CheckpointKind
from .families.prediction import Prediction
from .model import Model
from .settings import shown
from .support.disk import is_file, is_inside, path_from_text

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

LARGEST_SIDE = 4096  # pixels
MOST_STEPS, MOST_CFG, LARGEST_SEED = 1000, 1000, 2**32 - 1  # what every host takes
PRESET_SUFFIX = ".darkroom.toml"  # settings that belong to a checkpoint lie beside it under its stem


class HostError(DarkroomError, RuntimeError):
    """The host cannot do something; the message says what and why."""


class Interrupted(HostError):
    """The host was told to stop drawing."""


@dataclass(frozen=True)
class Folders:
    """Where the host keeps things."""

    lora: Path
    embeddings: Path
    hypernetworks: Path
    checkpoints: Path
    workspaces: Path
    named: tuple[Path, ...] | None = None  # the only ones beside these that a page may name; None: any

    def hold(self, path: Path) -> bool:
        """Whether the path is in one of the host's own folders, links followed."""
        own = (self.lora, self.embeddings, self.hypernetworks, self.checkpoints, self.workspaces)
        return any(is_inside(path, folder) for folder in own)

    def allow(self, text: str) -> bool:
        """Whether what a person wrote on the page may be read."""
        if self.named is None:
            return True
        path = path_from_text(text)
        if path != Path(text):  # what a variable holds is not told
            return False
        return self.hold(path) or any(is_inside(path, folder) for folder in self.named)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that the host can load. title: as the host's dropdown shows it."""

    title: str
    path: Path
    sha256: str = field(default="", compare=False)  # of the file, where the host knows it
    prediction: Prediction | None = field(default=None, compare=False)  # as a person chose; None: as the file says

    @property
    def preset(self) -> Path | None:
        """The settings file of this checkpoint, if there is one."""
        path = self.path.with_name(self.path.stem + PRESET_SUFFIX)
        return path if path.exists() else None


@dataclass(frozen=True)
class Picture:
    """A picture to draw with the host's txt2img."""

    prompt: str
    negative: str = ""
    steps: int = 20
    cfg: float = 7.0
    width: int = field(kw_only=True)  # pixels; what suits depends on the checkpoint
    height: int = field(kw_only=True)
    seed: int = 0
    sampler: str = "Euler"
    clip_skip: int = 1


def drawable_side(pixels: int) -> int:
    """The longest side of a picture, up to so many pixels, that a checkpoint can draw."""
    return pixels // PIXELS_PER_LATENT * PIXELS_PER_LATENT


def require_drawable(picture: Picture) -> Picture:
    """The picture, if it can be drawn. Raises HostError."""
    for name in ("width", "height"):
        side = getattr(picture, name)
        if side % PIXELS_PER_LATENT or not PIXELS_PER_LATENT <= side <= LARGEST_SIDE:
            near = min(max(drawable_side(side + PIXELS_PER_LATENT // 2), PIXELS_PER_LATENT), LARGEST_SIDE)
            raise HostError(f"The {name} is {shown(side)}, but must be a multiple of {PIXELS_PER_LATENT} up to "
                            f"{LARGEST_SIDE}. "
                            f"Use {near}.")
    if not 1 <= picture.steps <= MOST_STEPS:
        raise HostError(f"The number of steps is {shown(picture.steps)}, but must be 1 to {MOST_STEPS}.")
    if not 0 <= picture.cfg <= MOST_CFG:  # not so where it is no number
        raise HostError(f"The CFG scale is {picture.cfg}, but must be 0 to {MOST_CFG}.")
    if not 0 <= picture.seed <= LARGEST_SEED:
        raise HostError(f"The seed is {shown(picture.seed)}, but must be 0 to {LARGEST_SEED}, or -1 for a new one.")
    return picture


def find_checkpoint(host: "Host", text: str) -> Checkpoint:
    """The checkpoint of this title, or the file at this path. Raises HostError."""
    for checkpoint in host.checkpoints():
        if without_hash(text) in (without_hash(checkpoint.title), checkpoint.path.stem, checkpoint.path.name,
                                  str(checkpoint.path)):
            return checkpoint
    path = path_from_text(text)
    if is_file(path) and host.folders.allow(text):
        return Checkpoint(path.stem, path)
    raise HostError(f"There is no checkpoint {text!r}. Choose one from the list, or give the path of a .safetensors "
                    "file.")


def without_hash(title: str) -> str:
    """The WebUI's titles end in a short hash as soon as it is known: "model.safetensors [82a973c043]"."""
    return re.sub(r" \[[0-9a-f]{8,12}\]$", "", title)


class Host(Protocol):
    name: str
    folders: Folders
    unsupported: str  # a sentence that says why nothing can be trained here; "" where training works

    def checkpoints(self) -> list[Checkpoint]:
        """What can be trained on, as the host lists it."""

    def current(self) -> Checkpoint | None:
        """The checkpoint that is loaded now, if any."""

    def kind(self, checkpoint: Checkpoint) -> CheckpointKind | None:
        """What the checkpoint is; None for a file that is not trained on. Loads nothing."""

    def advice(self, checkpoint: Checkpoint) -> list[str]:
        """What a person should know before training on this checkpoint here, a sentence or two each."""

    def missing_description(self, checkpoint: Checkpoint) -> Path | None:
        """The .yaml without which this host draws with the checkpoint as it should not; None where none is missing."""

    def write_description(self, checkpoint: Checkpoint) -> Path:
        """Writes the .yaml that is missing. Raises HostError."""

    def unusable(self, method: Any) -> str:
        """A sentence that says why this host could not use what a Method leaves; "" where it can. Loads nothing."""

    def unread(self, tensors: Mapping[str, "Tensor"]) -> list[str]:
        """Of the tensors of a LoRA file, those that this host's loader leaves out. Within borrow."""

    def tokens(self) -> Callable[[str], Sequence[int]] | None:
        """A function from text to the loaded checkpoint's tokens; None when no checkpoint is loaded. Loads nothing."""

    def captioners(self) -> tuple[str, ...]:
        """The names of the host's own image captioners, such as "DeepBooru"."""

    def caption(self, how: str, images: Iterable["Image"]) -> Iterator[str]:
        """A caption of each PIL image by the captioner `how`; ends early at the host's Interrupt. Raises HostError."""

    def borrow(self, checkpoint: Checkpoint) -> AbstractContextManager[Model]:
        """The checkpoint's model, used by nobody else meanwhile. On exit the host is as it was, which is checked.

        Raises HostError for a checkpoint, or a way of running the host, that cannot be trained.
        """

    def draw(self, pictures: list[Picture]) -> list[Any]:
        """PIL images by the host's own txt2img, which reads prompt tags. Within borrow: with what is attached now."""

    def read_back(self, path: Path, kind: str) -> Mapping[str, "Tensor"]:
        """What the host's own loader reads from a file (fp32, CPU), to compare with what was trained.

        kind "lora": by key, what is added to each layer's weight, by "KEY bias" to its bias; "embedding": by
        text encoder, its vectors; "hypernetwork" and "checkpoint": by name, its tensors.
        Raises HostError when the loader rejects the file or leaves keys unmatched.
        """

    def forget(self, path: Path) -> None:
        """Drops every loaded copy of this file from memory, before or after the file is written again."""

    def show(self, event: Event) -> None:
        """Shows an event in the host's own progress bar."""

    def wanted(self) -> bool:
        """Whether a picture is being drawn for somebody, or somebody waits for one; a job's own do not count."""

    def stopping(self) -> bool:
        """Whether the host's own Interrupt was pressed."""

    def refresh(self) -> None:
        """Makes the host list files that were just written, without a restart."""
