"""Forge and its relatives: the page is shown and says that nothing can be trained there yet."""

from collections.abc import Iterable, Iterator
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

NOT_YET = "Darkroom cannot train in Forge yet; train in AUTOMATIC1111's WebUI or standalone, and use the files here."


class Forge:
    name = "forge"
    unsupported = NOT_YET

    def __init__(self) -> None:
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
        """Forge reads what a checkpoint predicts from its keys."""

    def write_description(self, checkpoint: Checkpoint) -> NoReturn:
        refuse()

    def tokens(self) -> None:
        return None

    def captioners(self) -> tuple[str, ...]:
        return ()

    def caption(self, how: str, images: Iterable[Any]) -> Iterator[str]:
        refuse()

    def borrow(self, checkpoint: Checkpoint) -> AbstractContextManager[Model]:
        refuse()

    def draw(self, pictures: list[Picture]) -> list[Any]:
        refuse()

    def read_back(self, path: Path, kind: str) -> dict[str, Any]:
        refuse()

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


def refuse() -> NoReturn:
    raise HostError(NOT_YET)
