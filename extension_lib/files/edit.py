"""A file's name, its words and notes: in its header, which is written anew, and on its card. Its tensors stay."""

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..export.card import read_card
from ..export.checkpoint import CHUNK, copy_bytes
from ..export.header import LONGEST, read_header
from ..support.disk import checked_file_name, replacing, write_text
from .made import named
from .source import FileProblem

BESIDE = (".json", ".png", ".preview.png", ".jpg", ".jpeg", ".webp", ".txt", ".description.txt")
WORDS, NOTES = "modelspec.trigger_phrase", "modelspec.description"


@dataclass(frozen=True)
class Edit:
    """What is told; None: stays as it is. fields: of the header; "" takes one out."""

    path: Path
    name: str | None = None  # without its suffix
    words: str | None = None
    notes: str | None = None
    weight: float | None = None  # that is preferred
    fields: Mapping[str, str] | None = None


def edit(given: Edit) -> Path:
    """Changes the file and its card; returns its path, which a new name changes. Raises FileProblem, SaveError."""
    path = given.path
    if not path.is_file():
        raise FileProblem(f"There is no file {path}.")
    said = {key: value for key, value in ((WORDS, given.words), (NOTES, given.notes)) if value is not None}
    changes = {**(given.fields or {}), **(said if path.suffix.lower() == ".safetensors" else {})}
    if given.name is not None:
        path = renamed(path, given.name)
        changes = {**(named(path) if path != given.path and path.suffix.lower() == ".safetensors" else {}), **changes}
    if changes:
        change_header(path, changes)
    card = {key: value for key, value in (("activation text", given.words), ("notes", given.notes),
                                          ("preferred weight", given.weight)) if value is not None}
    if card:
        beside = path.with_suffix(".json")
        write_text(beside, json.dumps({**read_card(beside), **card}, indent=4, ensure_ascii=False))
    return path


class Words(NamedTuple):
    """What a person may change, as it is now."""

    name: str
    words: str
    weight: float | None
    notes: str


def read_words(path: Path) -> Words:
    said, card = read_header(path), read_card(path.with_suffix(".json"))
    weight = card.get("preferred weight")
    return Words(path.stem, str(card.get("activation text") or said.get(WORDS, "")),
                 float(weight) if isinstance(weight, (int, float)) else None,
                 str(card.get("notes") or said.get(NOTES, "")))


def renamed(path: Path, name: str) -> Path:
    """Moves the file and what lies beside it. Raises FileProblem where the name is taken, NameProblem."""
    new = path.with_name(checked_file_name(name) + path.suffix)
    if new == path:
        return path
    moves = {path: new, **{old: new.with_name(new.stem + ending) for ending in BESIDE
                           if (old := path.with_name(path.stem + ending)).is_file()}}
    if taken := next((target for target in moves.values() if target.exists()), None):
        raise FileProblem(f"{taken} exists already. Choose another name.")
    for old, target in moves.items():
        old.rename(target)
    return new


def change_header(path: Path, changes: Mapping[str, str]) -> None:
    """Raises FileProblem for a file without a header."""
    if path.suffix.lower() != ".safetensors":
        raise FileProblem(f"{path.name} has no header for words and notes. Convert it to safetensors first.")
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        if length > LONGEST:
            raise FileProblem(f"{path.name} is not a readable safetensors file.")
        held = json.loads(file.read(length))
        said = {**held.pop("__metadata__", {}), **changes}
        header = {"__metadata__": {key: value for key, value in said.items() if value != ""}, **held}
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
        text += b" " * (-len(text) % 8)
        with replacing(path) as part, open(part, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            while size := min(CHUNK, path.stat().st_size - file.tell()):
                copy_bytes(file, out, size)
            out.flush()
            os.fsync(out.fileno())


def preferred_weight(path: Path) -> float:
    """That its card says; 1 where it says none. Raises FileProblem for a card without a number."""
    said = read_card(path.with_suffix(".json")).get("preferred weight")
    if said is None or said == 0:
        return 1.0
    if not isinstance(said, (int, float)):
        raise FileProblem(f"The card of {path.name} has {said!r} as the preferred weight, which is no number.")
    return float(said)

