"""What a method promises: settings to choose, and something trainable attached to a model."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from ..model import Layer, Model
from .product import Product

if TYPE_CHECKING:
    from torch import Tensor, nn

PRECISIONS = ("fp16", "bf16", "fp32")  # number formats of saved files


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters with one learning rate, in fp32 or bf16.

    span: they are trained between these shares of the run's steps. names: of each parameter, where some are in bf16,
    which are rounded stochastically.
    """

    name: str
    rate: float
    parameters: "list[nn.Parameter]"
    span: tuple[float, float] = (0.0, 1.0)
    names: tuple[str, ...] = ()


class NewWord(NamedTuple):
    """A word to be learned, and the text whose vectors it starts from."""

    name: str
    initial: str


class Trainable(Protocol):
    """What a method attached to a model."""

    parts: frozenset[str]  # the parts of the model that its gradient passes through: "unet", "te1"

    def groups(self) -> list[ParameterGroup]:
        """All that is trained; fp32 whatever the model is, unless the settings want bf16."""

    def state_dict(self) -> "dict[str, Tensor]":
        """All that is trained, as live tensors: what a workspace stores to continue training."""

    def load_state_dict(self, state: "dict[str, Tensor]") -> None:
        """Loads what state_dict returned. Raises KeyError or RuntimeError if it does not fit."""

    def file_tensors(self) -> "Mapping[str, Tensor]":
        """The tensors of its file, in fp32, under the names of the format."""

    def deltas(self) -> "Mapping[str, Tensor]":
        """By layer key, what is added to the layer's weight, by "KEY bias" to its bias (fp32, CPU); empty without
        such a sum.
        """

    def after_step(self) -> None:
        """Called when the parameters have changed."""

    def as_saved(self) -> AbstractContextManager[None]:
        """A context in which the model works as it will with the saved file. Do not train or save in it."""

    def muted(self) -> AbstractContextManager[None]:
        """A context in which the model works as if nothing were attached. Raises SettingError if it cannot."""

    def detach(self) -> None:
        """Removes everything from the model, which is then bit-identical to what it was before."""


def text_rates(first: float, second: float) -> dict[str, float]:
    """The learning rates of the text encoders; below 0, the second has that of the first."""
    return {"te1": first, "te2": first if second < 0 else second}


@dataclass(frozen=True)
class Method:
    """A way to teach a model something. A subclass is one: its fields are its settings, its docstring is its help."""

    name: ClassVar[str]  # in files and on the command line; no two methods share one
    title: ClassVar[str]  # on the page
    order: ClassVar[int]  # place in lists
    product: ClassVar[Product]
    for_beginners: ClassVar[bool] = False  # whether the page shows it in the first group; not inherited
    prefers: ClassVar[dict[str, dict[str, Any]]] = {}  # settings of other sections that suit this method better
    trains_model: ClassVar[bool] = False  # whether the model's own weights learn
    precisions: ClassVar[tuple[str, ...]] = PRECISIONS  # those in which the WebUI applies its files correctly

    @property
    def rates(self) -> dict[str, float]:
        """Learning rates by part, "unet", "te1" and "te2", for those that it trains."""
        return {}

    @property
    def rounded(self) -> bool:
        """Whether what is trained is in bf16, and rounded stochastically."""
        return False

    @property
    def averages(self) -> bool:
        """Whether what it saves is an average of its steps."""
        return False

    @property
    def computes_in_bf16(self) -> bool:
        """Whether the model that it is attached to computes in bf16, whatever it did before."""
        return False

    def safe_precisions(self) -> tuple[str, ...]:
        """The precisions in which the WebUI applies files of these settings correctly."""
        return self.precisions

    def files(self) -> tuple[str, ...]:
        """The kinds of files that a run leaves: keys of export/products.FILES."""
        return self.product.files

    def header(self) -> dict[str, Any]:
        """What a file's header says of these settings, under kohya's names (ss_...); None and "" are left out."""
        return {}

    def left_out(self, layers: "list[Layer]") -> "list[Layer]":
        """The layers that this method would train, were they not OpenCLIP's, to which the WebUI cannot apply it."""
        return []

    @classmethod
    def recognizes(cls, tensors: "Mapping[str, Tensor]") -> bool:
        """Whether a layer's tensors in a LoRA file, by their names behind the layer's key, are this method's."""
        return False

    def attach(self, model: Model, seed: int, words: tuple[NewWord, ...] = ()) -> Trainable:
        """Attaches new parameters to the model; the same seed gives the same ones. Outputs do not change yet.

        words: the new words of the concepts, for methods that learn words.
        """
        raise NotImplementedError
