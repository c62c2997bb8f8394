"""How much memory tensors take: the bytes of their storages that are alive, and the most there ever were."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

SLACK = 1.01  # how far the peak may be exceeded before storages that are gone are looked for

Counted = dict[int, tuple[StorageWeakRef, int]]  # a storage's address, it and its bytes


class LiveTensors(TorchDispatchMode):
    """Within, counts every storage that an operation makes, once, for as long as it is alive; not what it was given.

    It counts on any device, "meta" too, where storages have a size but no memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live: Counted = {}
        self.young: Counted = {}  # since storages that are gone were last looked for: most of these live shortly
        self.bytes = 0  # of all, those among them that are gone but were not looked for
        self.highest = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        new = [storage for storage in storages((made,))
               if storage._cdata not in self.young and storage._cdata not in self.live]
        given = {storage._cdata for storage in storages((args, kwargs))} if new else set()
        for storage in new:
            if storage._cdata not in given:
                self.count(storage)
        return made

    def count(self, storage: torch.UntypedStorage) -> None:
        self.young[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.bytes += storage.nbytes()
        if self.is_peak():
            self.sift_young()
        if self.is_peak():
            self.highest = max(self.highest, self.now())

    def is_peak(self) -> bool:
        return self.bytes > self.highest * SLACK

    def sift_young(self) -> None:
        kept = alive(self.young)
        self.bytes -= size_of(self.young) - size_of(kept)
        self.live.update(kept)
        self.young = {}

    def now(self) -> int:
        """Bytes that are alive."""
        self.live, self.young = alive({**self.live, **self.young}), {}
        self.bytes = size_of(self.live)
        return self.bytes


def alive(counted: Counted) -> Counted:
    return {key: held for key, held in counted.items() if not held[0].expired()}


def size_of(counted: Counted) -> int:
    return sum(size for _, size in counted.values())


def storages(values: Iterable[Any]) -> Iterator[torch.UntypedStorage]:
    """Of the tensors among these values, in lists too."""
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value.untyped_storage()
        elif isinstance(value, (list, tuple)):
            yield from storages(value)
        elif isinstance(value, dict):
            yield from storages(value.values())
