"""Operations on the meta device, each worked out once: much of torch reckons shapes there in Python, step by step."""

from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .live import storages


class Form(NamedTuple):
    """All of a tensor but its values."""

    shape: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @staticmethod
    def of(tensor: Tensor) -> "Form":
        return Form(tensor.shape, tensor.stride(), tensor.dtype, tensor.device)

    def made(self) -> Tensor:
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=self.device)


KNOWN: dict[Any, list[Form | None] | Form] = {}  # what an operation makes; runs are planned again and again
MOST = 100_000


class RememberedForms(TorchDispatchMode):
    """Within, an operation that makes new tensors on the meta device is worked out the first time alone."""

    def __init__(self) -> None:
        super().__init__()
        if len(KNOWN) > MOST:
            KNOWN.clear()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not makes_new(function):
            return function(*args, **kwargs)
        key = (function, hashable(args), hashable(kwargs))
        if (form := KNOWN.get(key)) is not None:
            return form.made() if isinstance(form, Form) else tuple(each and each.made() for each in form)
        made = function(*args, **kwargs)
        if is_new(made, (args, kwargs)):
            KNOWN[key] = Form.of(made) if isinstance(made, Tensor) else [
                None if each is None else Form.of(each) for each in made]
        return made


def hashable(value: Any) -> Any:
    """The same for the same forms and values; numbers of two types are not the same."""
    if isinstance(value, Tensor):
        return Form.of(value)
    if isinstance(value, (list, tuple)):
        return tuple(map(hashable, value))
    if isinstance(value, dict):
        return tuple((name, hashable(each)) for name, each in value.items())
    return type(value), value


@cache
def makes_new(function: Any) -> bool:
    """Whether an operation says of itself that it changes nothing and returns nothing that it was given."""
    schema = function._schema
    return not any(each.alias_info for each in (*schema.arguments, *schema.returns))


def is_new(made: Any, given: Iterable[Any]) -> bool:
    """Whether these are tensors on the meta device that share nothing: not all operations say so that return views."""
    tensors = [each for each in (made if isinstance(made, tuple) else (made,)) if each is not None]
    if not tensors or not all(isinstance(each, Tensor) and each.is_meta and whole(each) for each in tensors):
        return False
    places = [storage._cdata for storage in storages((tensors,))]
    return len({*places}) == len(places) and not {*places} & {storage._cdata for storage in storages(given)}


def whole(tensor: Tensor) -> bool:
    """Whether its storage is no larger than the tensor."""
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride())) if tensor.numel() else -1
    return tensor.untyped_storage().nbytes() == (last + 1) * tensor.element_size()
