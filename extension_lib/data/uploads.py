"""Pictures that were dropped on the page, copied into a folder of the workspace together with their captions and
masks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..support.disk import copy_file, path_from_text
from .captions import ENDINGS
from .masks import masked_stem
from .pictures import EXTENSIONS

FOLDER = "pictures"


@dataclass(frozen=True)
class Upload:
    """What was copied, and the names of files that are neither pictures nor captions."""

    pictures: tuple[Path, ...]
    captions: int
    refused: tuple[str, ...]


def folder_for(workspace: Path, current: str) -> Path:
    """Where a concept's dropped pictures go: its folder, if that belongs to the workspace, else a new one there."""
    here = path_from_text(current) if current else None
    if here and here.parent == workspace and here.name.startswith(FOLDER):
        return here
    number = 1
    while (workspace / folder_name(number)).exists():
        number += 1
    return workspace / folder_name(number)


def folder_name(number: int) -> str:
    return FOLDER if number == 1 else f"{FOLDER}-{number}"


def copy_uploads(files: Sequence[Path], folder: Path) -> Upload:
    """Copies the files; one whose name is taken by another gets a number, and so do its caption and mask.

    Raises SaveError.
    """
    wanted = [path for path in files if is_caption(path) or path.suffix.lower() in EXTENSIONS]
    # files of one name may come from several folders: the first belong together
    groups: dict[tuple[str, int], list[Path]] = {}
    for n, path in enumerate(wanted):
        earlier = sum(other.name == path.name for other in wanted[:n])
        groups.setdefault((masked_stem(path.stem), earlier), []).append(path)
    pictures, captions = [], 0
    for (stem, _), group in groups.items():
        free = free_stem(stem, group, folder)
        for path in group:
            target = target_path(path, stem, free, folder)
            copy_file(path, target)
            captions += is_caption(path)
            pictures += [] if is_caption(path) or masked_stem(path.stem) != path.stem else [target]
    return Upload(tuple(pictures), captions, tuple(path.name for path in files if path not in wanted))


def is_caption(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def free_stem(stem: str, group: list[Path], folder: Path) -> str:
    """The stem, or with a number where pictures of that name lie there that are not these ones.

    Captions alone replace captions.
    """
    pictures = [path for path in group if not is_caption(path)]
    free, number = stem, 2
    while any(is_other(path, target_path(path, stem, free, folder)) for path in pictures):
        free, number = f"{stem}-{number}", number + 1
    return free


def target_path(path: Path, stem: str, free: str, folder: Path) -> Path:
    """Where a file goes. A caption's ending is written small, however its sender has spelt it."""
    ending = path.name.removeprefix(stem)
    return folder / (free + (ending.lower() if is_caption(path) else ending))


def is_other(path: Path, target: Path) -> bool:
    return target.exists() and target.read_bytes() != path.read_bytes()
