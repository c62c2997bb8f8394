"""Shards: what an encoder has made, in small files, each written once under a new name and never changed.

An entry is a few tensors under a key. A shard's header has a checksum of each of its entries.
"""

import os
import re
import shutil
import uuid
import zlib
from contextlib import suppress
from pathlib import Path
from threading import Lock

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import DarkroomError
from ..support.disk import SaveError, existing, matching, save_errors, write_bytes

Entry = dict[str, Tensor]

ENDING = ".safetensors"
NAME = re.compile(f"[0-9a-f]{{32}}{re.escape(ENDING)}")  # files that others put beside are neither read nor deleted
MOST_ENTRIES, MOST_BYTES = 256, 2**24  # of a shard
LEFT_FREE = 4 * 10**9  # bytes of the disk, for what is learned


class DamagedEntry(DarkroomError, ValueError):
    """An entry that is not what was written."""


BROKEN = (SafetensorError, OSError, KeyError, ValueError)  # what reading a damaged or vanished file raises


def checksum(key: str, entry: Entry) -> str:
    made = zlib.crc32(key.encode())
    for name, tensor in sorted(entry.items()):
        made = zlib.crc32(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode(), made)
        made = zlib.crc32(tensor.view(-1).view(torch.uint8).numpy().tobytes(), made)
    return f"{made:08x}"


def shards_in(folder: Path) -> list[Path]:
    return [path for path in matching(folder, f"*{ENDING}") if NAME.fullmatch(path.name)]


def shard_bytes(entries: dict[str, Entry]) -> bytes:
    tensors = {f"{key}.{name}": tensor for key, entry in entries.items() for name, tensor in entry.items()}
    return save(tensors, {key: checksum(key, entry) for key, entry in entries.items()})


def require_free(folder: Path, size: int) -> None:
    """Raises SaveError where the disk has less room than that."""
    with save_errors(folder):
        free = shutil.disk_usage(existing(folder)).free
    if free < size:
        raise SaveError(f"The disk of {folder} has only {free / 1e9:.1f} GB free.")


class Shard:
    """An open shard, mapped into memory: Windows lets nobody delete it meanwhile, others read it even then."""

    def __init__(self, path: Path):
        self.file = safe_open(path, "pt")
        self.checksums: dict[str, str] = self.file.metadata() or {}
        self.names: dict[str, list[str]] = {}
        for tensor in self.file.keys():  # noqa: SIM118
            key, _, name = tensor.partition(".")
            self.names.setdefault(key, []).append(name)

    def read(self, key: str) -> Entry:
        """Copies, so that nothing holds the file but this. Raises DamagedEntry."""
        entry = {name: self.file.get_tensor(f"{key}.{name}").clone() for name in self.names[key]}
        if checksum(key, entry) != self.checksums.get(key):
            raise DamagedEntry(f"{key} is not what was written. It is encoded anew.")
        return entry


class Shards:
    """The entries of one encoder. Any thread may use them, and several programs may use one folder.

    folder: None keeps them in memory alone.
    """

    def __init__(self, folder: Path | None = None):
        self.folder, self.lock = folder, Lock()
        self.problem = ""  # why nothing more is written: a sentence
        self.unwritten: dict[str, Entry] = {}
        self.size = 0  # bytes of what is not written
        self.places: dict[str, Path] = {}
        self.opened: dict[Path, Shard] = {}
        for path in shards_in(folder) if folder else ():
            self.places.update(dict.fromkeys(self.keys_in(path), path))

    def keys_in(self, path: Path) -> list[str]:
        with suppress(*BROKEN):
            return list(Shard(path).names)
        self.give_up(path)
        return []

    def get(self, key: str) -> Entry | None:
        """None for what was never put, and for what is damaged."""
        with self.lock:
            if key in self.unwritten or key not in self.places:
                return self.unwritten.get(key)
            return self.read(self.places[key], key)

    def put(self, key: str, entry: Entry) -> None:
        with self.lock:
            self.unwritten[key] = {name: tensor.contiguous() for name, tensor in entry.items()}
            self.size += sum(tensor.nbytes for tensor in entry.values())
            if len(self.unwritten) >= MOST_ENTRIES or self.size >= MOST_BYTES:
                self.write()

    def flush(self) -> None:
        """Writes what is not yet in a shard. What cannot be written stays in memory."""
        with self.lock:
            self.write()

    def close(self) -> None:
        self.flush()
        self.opened.clear()

    def write(self) -> None:
        if self.folder is None or self.problem or not self.unwritten:
            return
        path = self.folder / f"{uuid.uuid4().hex}{ENDING}"
        try:
            require_free(self.folder, LEFT_FREE + self.size)
            write_bytes(path, shard_bytes(self.unwritten))
        except SaveError as error:
            self.problem = str(error)
            return
        self.places.update(dict.fromkeys(self.unwritten, path))
        if self.read(path, next(iter(self.unwritten))) is not None:  # now in use; no other run had deleted it
            self.unwritten, self.size = {}, 0

    def read(self, path: Path, key: str) -> Entry | None:
        with suppress(*BROKEN):
            if path not in self.opened:
                self.opened[path] = Shard(path)
                os.utime(path)  # what was used last leaves last
            return self.opened[path].read(key)
        self.give_up(path)
        return None

    def give_up(self, path: Path) -> None:
        """Deletes a shard that is damaged or gone; what it held is made anew."""
        self.opened.pop(path, None)
        self.places = {key: place for key, place in self.places.items() if place != path}
        with suppress(OSError):  # another program may hold it open
            path.unlink()
