"""Relatives of the WebUI in which nothing can be trained: the page is shown and says so."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

from modules import sd_models

from ..events import Event
from ..families.kind import CheckpointKind
from ..host import Checkpoint, HostError, Picture
from ..model import Model
from ..models.detect import kind_of
from .a1111 import folders as webui_folders


class Unsupported:
    name = "unsupported"

    def __init__(self, title: str, reason: str):
        """title: what people call the program; reason: why it does not train, a sentence."""
        self.unsupported = (f"Darkroom does not train in {title}: {reason} Train in AUTOMATIC1111's WebUI, in Forge or "
                            "standalone, and use the files here.")
        self.folders = webui_folders.folders()

    def checkpoints(self) -> list[Checkpoint]:
        return webui_folders.checkpoints()

    def current(self) -> Checkpoint | None:
        return next(iter(self.checkpoints()), None)

    def kind(self, checkpoint: Checkpoint) -> CheckpointKind | None:
        return kind_of(checkpoint)

    def advice(self, checkpoint: Checkpoint) -> list[str]:
        return []

    def missing_description(self, checkpoint: Checkpoint) -> None:
        """Nothing is drawn here."""

    def write_description(self, checkpoint: Checkpoint) -> NoReturn:
        self.refuse()

    def unusable(self, method: Any) -> str:
        return ""

    def unread(self, tensors: Mapping[str, Any]) -> list[str]:
        return []

    def tokens(self) -> None:
        return None

    def captioners(self) -> tuple[str, ...]:
        return ()

    def caption(self, how: str, images: Iterable[Any]) -> Iterator[str]:
        self.refuse()

    def borrow(self, checkpoint: Checkpoint) -> AbstractContextManager[Model]:
        self.refuse()

    def draw(self, pictures: list[Picture]) -> list[Any]:
        self.refuse()

    def read_back(self, path: Path, kind: str) -> dict[str, Any]:
        self.refuse()

    def forget(self, path: Path) -> None:
        """Nothing was loaded."""

    def show(self, event: Event) -> None:
        """Nothing happens here."""

    def wanted(self) -> bool:
        return False

    def stopping(self) -> bool:
        return False

    def refresh(self) -> None:
        sd_models.list_models()

    def refuse(self) -> NoReturn:
        raise HostError(self.unsupported)
