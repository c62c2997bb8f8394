"""What a method promises: settings to choose, and something trainable hung on a model."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from ..model import Model

if TYPE_CHECKING:
    from torch import Tensor, nn

LEARN_WORDS = ("embedding", "pivotal")  # products of methods that learn new words


@dataclass(frozen=True)
class Group:
    """Parameters that learn at one rate. span: the shares of the run's steps between which they learn."""

    name: str
    rate: float
    parameters: "list[nn.Parameter]"
    span: tuple[float, float] = (0.0, 1.0)


class NewWord(NamedTuple):
    """A word to be learned, and what it begins as."""

    name: str
    initial: str


class Trainable(Protocol):
    """What a method hung on a model."""

    parts: frozenset[str]  # which parts of the model its gradient runs through: "unet", "te1"

    def groups(self) -> list[Group]:
        """All that is trained; fp32 whatever the model is."""

    def state_dict(self) -> "dict[str, Tensor]":
        """All that is trained, live: what a workspace keeps to go on from."""

    def load_state_dict(self, state: "dict[str, Tensor]") -> None:
        """Takes back what state_dict gave. Raises KeyError or RuntimeError when it does not fit."""

    def saved(self) -> "dict[str, Tensor]":
        """What its file holds, in fp32, under the format's names."""

    def deltas(self) -> "Mapping[str, Tensor]":
        """By layer key, what is added to the layer's weight, by "KEY bias" to its bias (fp32, CPU); empty without such a sum."""

    def after_step(self) -> None:
        """Called when the parameters have changed."""

    def as_saved(self) -> AbstractContextManager[None]:
        """Within, the model answers as its file will. Nothing is to be learned or saved there."""

    def muted(self) -> AbstractContextManager[None]:
        """Within, the model answers as if nothing hung on it. Raises SettingError where that cannot be."""

    def detach(self) -> None:
        """Takes everything off the model, which is then bit-identical to what it was."""


class Method(Protocol):
    """A frozen dataclass: its fields are the method's settings, its docstring is the help."""

    name: ClassVar[str]
    title: ClassVar[str]
    order: ClassVar[int]  # place in lists
    product: ClassVar[str]  # which files it leaves: a key of export/products.py
    prefers: ClassVar[dict[str, dict[str, Any]]]  # settings of other sections that suit this method better than their defaults

    def attach(self, model: Model, seed: int, words: tuple[NewWord, ...] = ()) -> Trainable:
        """Hangs fresh parameters on the model; the same seed gives the same ones. Outputs do not change yet.

        words: the new words of the concepts, for the methods that learn words.
        """
