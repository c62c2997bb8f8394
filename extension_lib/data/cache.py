"""The cache: what encoders have made, kept on disk for all runs; when it is too large, the oldest leaves."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from os import stat_result
from pathlib import Path

from ..support.digests import digest_of
from ..support.disk import delete_abandoned_parts, is_folder, matching
from .shards import ENDING, Shards, shards_in

FOLDER = re.compile("[0-9a-f]{32}")  # of an encoder
GB = 10**9
MADE_AS = 1  # to be raised when pictures are read, cut or encoded differently, or prompts encoded


class Cache:
    """folder: where it lies; limit: GB that it may take, 0 for none. Without either all is kept in memory."""

    def __init__(self, folder: Path | None = None, limit: float = 0.0):
        self.folder, self.limit = folder, limit
        self.opened: list[Shards] = []

    def shards(self, encoder: Callable[[], str]) -> Shards:
        """What an encoder has made. encoder: gives its digest, and is not asked where nothing is kept on disk."""
        made = Shards(self.folder / digest_of(MADE_AS, encoder()) if self.folder and self.limit else None)
        self.opened.append(made)
        return made

    def flush(self) -> str:
        """Writes what is not yet on disk, and trims; returns why something stays in memory, or ""."""
        for shards in self.opened:
            shards.flush()
        self.trim()
        return next((shards.problem for shards in self.opened if shards.problem), "")

    def close(self) -> None:
        for shards in self.opened:
            shards.close()
        self.trim()

    def trim(self) -> None:
        """Deletes the shards used longest ago, until the limit is kept; what is in use here stays."""
        in_use = {path for shards in self.opened for path in shards.opened}
        taken = 0
        for facts, path in sorted(self.files(), key=lambda file: -file[0].st_mtime):
            taken += facts.st_size
            if taken > self.limit * GB and path not in in_use:
                with suppress(OSError):  # Windows does not delete what another program has open
                    path.unlink()

    def files(self) -> Iterator[tuple[stat_result, Path]]:
        for folder in matching(self.folder, "*") if self.folder else ():
            if FOLDER.fullmatch(folder.name) and is_folder(folder):
                delete_abandoned_parts(folder, f"*{ENDING}.*.part")
                for path in shards_in(folder):
                    with suppress(OSError):  # another run may have deleted it
                        yield path.stat(), path
