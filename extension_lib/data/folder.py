"""A concept's folder: which pictures it holds, how often each is seen, and what each is called."""

import re
from dataclasses import dataclass
from pathlib import Path

from ..run import Concept
from . import captions
from .pictures import EXTENSIONS, PictureError, size

REPEATS = re.compile(r"(\d+)_(.+)")


class FolderError(ValueError):
    """A folder that cannot be trained on; the message names it and says why."""


@dataclass(frozen=True)
class Item:
    """One picture and its prompt."""

    path: Path
    prompt: str
    repeats: int
    width: int
    height: int


@dataclass(frozen=True)
class Found:
    """The pictures of a concept, and a line for each file that had to be left out."""

    items: tuple[Item, ...]
    problems: tuple[str, ...]


def find(concept: Concept) -> Found:
    """Looks through the folder and the folders in it. Raises FolderError when nothing can be trained on."""
    root = Path(concept.folder).expanduser()
    if not root.is_dir():
        raise FolderError(f"There is no folder {root}. Choose the folder that holds your pictures.")
    paths = sorted(p for p in root.rglob("*") if p.suffix.lower() in EXTENSIONS and not hidden(p, root) and p.is_file())
    items, problems = [], []
    for path in paths:
        try:
            items.append(item(path, root, concept))
        except PictureError as error:
            problems.append(str(error))
    if not items:
        raise FolderError(f"The folder {root} holds no readable picture" + (f": {problems[0]}" if problems else ".")
                          + f" Put pictures there ({', '.join(sorted(e[1:] for e in EXTENSIONS))}).")
    return Found(tuple(items), tuple(problems))


def hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def item(path: Path, root: Path, concept: Concept) -> Item:
    width, height = size(path)
    times, words = folder_repeats(path, root)
    own = captions.own_caption(path, words)
    return Item(path, captions.prompt(concept.instance_prompt, own), times * concept.repeats, width, height)


def folder_repeats(path: Path, root: Path) -> tuple[int, str]:
    """kohya's convention: pictures in a folder "10_zwx ghost" count ten times and are called "zwx ghost"."""
    for parent in path.parents:
        if match := REPEATS.fullmatch(parent.name):
            return max(1, int(match[1])), match[2].replace("_", " ").strip()
        if parent == root:
            break
    return 1, ""
