"""Parts of a checkpoint's tensors, by names that end in what is meant: "attn.in_proj_weight[1/3]", "projection[T]"."""

import re
from collections.abc import Iterable

from torch import Tensor

TRANSPOSED = "[T]"
THIRD = re.compile(r"\[(\d)/3\]$")


def third(number: int) -> str:
    """The ending for a third of a tensor's rows; 0 is the first."""
    return f"[{number}/3]"


def whole_name(name: str) -> str:
    """The name of the tensor that a part belongs to."""
    return THIRD.sub("", name.removesuffix(TRANSPOSED))


def take_part(name: str, whole: Tensor) -> Tensor:
    """The part that the name means, a view of the whole."""
    if name.endswith(TRANSPOSED):
        return whole.T
    found = THIRD.search(name)
    return whole.chunk(3)[int(found[1])] if found else whole


def put_parts(whole: Tensor, parts: Iterable[tuple[str, Tensor]]) -> Tensor:
    """The whole with these parts, by name, in place; a copy."""
    out = whole.clone()
    for name, part in parts:
        take_part(name, out).copy_(part)
    return out


def whole_shape(name: str, part: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the tensor that a part of this shape belongs to."""
    if name.endswith(TRANSPOSED):
        return part[::-1]
    return (part[0] * 3, *part[1:]) if THIRD.search(name) else part
