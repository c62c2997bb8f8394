"""Which tensors hold nothing but zeros, where values are not known, as on the meta device."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .live import storages

ZEROS = frozenset({torch.ops.aten.zeros.default, torch.ops.aten.zeros_like.default, torch.ops.aten.new_zeros.default,
                   torch.ops.aten.zero_.default})
COPIES = frozenset({torch.ops.aten._to_copy.default, torch.ops.aten.clone.default})


class KnownZeros(TorchDispatchMode):
    """Within, notices what is filled with zeros or copied from such, and what is written to after that."""

    def __init__(self) -> None:
        super().__init__()
        self.places: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        given = {storage._cdata for storage in storages((args, kwargs))}
        new = {storage._cdata for storage in storages((made,))} - given  # some where tensors were that are gone
        writes = any(each.alias_info and each.alias_info.is_write for each in function._schema.arguments)
        changed = new | (given if writes else set())
        zero = function in ZEROS or function in COPIES and args[0] in self
        self.places = self.places | changed if zero else self.places - changed
        return made

    def __contains__(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage()._cdata in self.places
