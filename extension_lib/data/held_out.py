"""Pictures that are kept out of training, and those on which the loss is measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..model import Framing
from ..support.seeds import seed_from
from .folder import Item

if TYPE_CHECKING:
    from torch import Tensor

MEASURED_PICTURES = 16  # as many as are measured on


@dataclass(frozen=True)
class MeasuredPicture:
    """A picture as it is measured: its middle, unmirrored, by its first prompt.

    latents (4, h, w) and mask (1, h, w) on the CPU.
    """

    name: str
    prompt: str
    latents: "Tensor"
    mask: "Tensor"
    framing: Framing


def in_fixed_order(items: Sequence[Item]) -> list[Item]:
    """In an order that their names alone decide, so that runs of other seeds hold out and measure the same ones."""
    return sorted(items, key=lambda item: seed_from("held out", picture_name(item)))


def picture_name(item: Item) -> str:
    return f"{item.path.parent.name}/{item.path.name}"


def split_held_out(items: Sequence[Item], share: float) -> tuple[list[Item], list[Item]]:
    """(trained on, held out).

    With a share above 0 at least one is held out and one is left; a single picture is trained on.
    """
    count = min(len(items) - 1, max(1, round(share * len(items)))) if share else 0
    held = {item.path for item in in_fixed_order(items)[:count]}
    return [i for i in items if i.path not in held], [i for i in items if i.path in held]
