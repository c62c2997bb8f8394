"""What lies in a folder: the pictures to learn from, and what is left out and why."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ..support.disk import files_in
from .masks import is_mask
from .pictures import EXTENSIONS, NOT_READ

REPEATS = re.compile(r"(\d+)_(.+)")
NOT_PICTURES = {"@eadir", "#recycle", "$recycle.bin", "__macosx"}  # folders that systems keep among people's own


@dataclass(frozen=True)
class Listing:
    """Pictures by name, and a sentence for each file or folder that was left out."""

    pictures: tuple[Path, ...]
    left_out: tuple[str, ...]


def list_pictures(root: Path) -> Listing:
    """Every file in the folder and the folders in it that should be a picture to learn from."""
    files = [p for p in files_in(root) if p.suffix.lower() in EXTENSIONS | NOT_READ and not is_hidden(p, root)]
    numbered = {folder.parent for p in files for folder in folders_above(p, root)[1:] if REPEATS.fullmatch(folder.name)}
    pictures, left_out = [], []
    for path in files:
        reason = next(filter(None, (folder_fault(f, numbered) for f in folders_above(path, root))), file_fault(path))
        if reason:
            left_out.append(reason)
        elif path.is_file():
            pictures.append(path)
    stems = {path.with_suffix("") for path in pictures}
    return Listing(tuple(p for p in pictures if not is_mask(p, stems)), tuple(dict.fromkeys(left_out)))


def is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def folders_above(path: Path, root: Path) -> list[Path]:
    """From the root to the folder that holds the path."""
    parts = path.relative_to(root).parts[:-1]
    return [root.joinpath(*parts[:n]) for n in range(len(parts) + 1)]


def folder_fault(folder: Path, numbered: Collection[Path]) -> str:
    """Why a folder's pictures are left out, or "". numbered: the folders that hold folders with repeats."""
    name, match = readable(folder.name), REPEATS.fullmatch(folder.name)
    if not is_utf8(folder.name):
        return f"The folder {name} is left out, because its name is not UTF-8. Rename it."
    if match and int(match[1]) == 0:
        return f"The folder {name} is left out, because its pictures count 0 times. Rename it to use them."
    if folder.name.lower() in NOT_PICTURES:
        return f"The folder {name} is left out, because the system keeps its own files there."
    if not match and folder.parent in numbered:
        return (f"The folder {name} is left out, because it lies beside folders that say how often their pictures "
                f"count. Call it 1_{name} to use it.")
    return ""


def file_fault(path: Path) -> str:
    name = readable(path.name)
    if path.suffix.lower() in NOT_READ:
        return f"{name} is left out, because {path.suffix[1:].upper()} files are not read. Save it as PNG."
    return "" if is_utf8(path.name) else f"{name} is left out, because its name is not UTF-8. Rename it."


def is_utf8(name: str) -> bool:
    """Whether a name could be decoded; what could not be stands in it as lone surrogates."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def readable(name: str) -> str:
    return name.encode("utf-8", errors="replace").decode("utf-8")
