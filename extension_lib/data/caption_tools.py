"""Edits all captions of a folder at once: shows the new captions first, and can undo the edit."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ..config.run import Concept
from .captions import read_caption_file, restore_caption_file, shuffle_tags, split_tags, write_caption
from .folder import caption_of, pictures_in, root_of


@dataclass(frozen=True)
class Edit:
    """What is done to every caption: text put in another's place, then put before and after."""

    find: str = ""
    replace: str = ""
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Change:
    """One picture's caption: its file before (None: there was none), what it said, and what it will say."""

    path: Path
    file: bytes | None
    old: str
    new: str


def captions_in(concept: Concept) -> dict[Path, str]:
    """The caption of every picture of a concept. Raises FolderError."""
    root = root_of(concept)
    return {path: caption_of(path, root) for path in pictures_in(root)}


def find_changes(concept: Concept, edit: Edit) -> list[Change]:
    """What an edit would change, by name; captions that stay as they are do not count."""
    found = [
        Change(path, read_caption_file(path), said, edit_caption(said, edit))
        for path, said in captions_in(concept).items()
    ]
    return [change for change in found if change.old != change.new]


def edit_caption(text: str, edit: Edit) -> str:
    """The text after an edit. What is there already at its start or end is not put there again."""
    if edit.find and edit.find in text:
        text = without_gaps(text.replace(edit.find, edit.replace))
    if edit.before and not text.startswith(edit.before.strip()):
        text = f"{edit.before.strip()} {text}".rstrip(" ,")
    if edit.after and not text.endswith(edit.after.strip()):
        text = f"{text}{'' if edit.after.lstrip().startswith((',', '.')) else ' '}{edit.after.strip()}"
    return text.strip()


def without_gaps(text: str) -> str:
    """No empty tags where something was taken out."""
    return re.sub(r"\s*,(\s*,)+\s*", ", ", re.sub(r" {2,}", " ", text)).strip(" ,")


def apply_changes(wanted: Iterable[Change]) -> Iterator[Change]:
    """Yields every change once it is written. Raises SaveError."""
    for change in wanted:
        write_caption(change.path, change.new)
        yield change


def undo_changes(made: Iterable[Change]) -> Iterator[Change]:
    """Every file as it was; one that was not there is taken away again. Yields every change once it is undone.

    Raises SaveError.
    """
    for change in made:
        restore_caption_file(change.path, change.file)
        yield change


def tag_counts(texts: Iterable[str]) -> Counter[str]:
    """How many captions hold each comma-separated part."""
    return Counter(tag for text in texts for tag in dict.fromkeys(split_tags(text)) if tag)


def shuffled_examples(text: str, keep_first: int, count: int = 3) -> list[str]:
    """A caption as shuffling may show it."""
    return [shuffle_tags(text, keep_first, Random(n)) for n in range(count)]
