"""How much memory tensors take: the bytes of their storages that are alive, and the most there ever were."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

SLACK = 1.01  # how far the peak may be exceeded before storages that are gone are looked for


class LiveTensors(TorchDispatchMode):
    """Within, counts every storage that an operation makes, once, for as long as it is alive; not what it was given.

    It counts on any device, "meta" too, where storages have a size but no memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[int, tuple[StorageWeakRef, int]] = {}
        self.bytes = 0  # of the live, and of those that are gone but were not looked for
        self.highest = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        new = [storage for storage in storages((made,)) if storage._cdata not in self.live]
        given = {storage._cdata for storage in storages((args, kwargs))} if new else set()
        for storage in new:
            if storage._cdata not in given:
                self.count(storage)
        return made

    def count(self, storage: torch.UntypedStorage) -> None:
        self.live[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.bytes += storage.nbytes()
        if self.bytes > self.highest * SLACK:
            self.highest = max(self.highest, self.now())

    def now(self) -> int:
        """Bytes that are alive."""
        self.live = {key: held for key, held in self.live.items() if not held[0].expired()}
        self.bytes = sum(size for _, size in self.live.values())
        return self.bytes


def storages(values: Iterable[Any]) -> Iterator[torch.UntypedStorage]:
    """Of the tensors among these values, in lists too."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value.untyped_storage()
        elif isinstance(value, (list, tuple)):
            yield from storages(value)
        elif isinstance(value, dict):
            yield from storages(value.values())
