"""How much memory tensors take: the bytes of their storages that are alive, and the most there ever were."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

SLACK = 1.005  # how far the peak may be exceeded before storages that are gone are looked for


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
        for storage in storages(made):
            if storage._cdata not in self.live and all(storage._cdata != s._cdata for s in storages((args, kwargs))):
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


def storages(values: Any) -> Iterator[torch.UntypedStorage]:
    return (value.untyped_storage() for value in tree_flatten(values)[0] if isinstance(value, torch.Tensor))
