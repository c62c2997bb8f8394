"""Pivotal Tuning: a new word first, then an adapter around it (Roich et al., 2021, arXiv:2106.05744; cloneofsimo,
2022).
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor

from ..model import Model
from ..settings import SettingError, option, option_like
from ..support.lazy import LazyTensors
from .base import Method, NewWord, ParameterGroup, Trainable
from .locon import Locon
from .loha import Loha
from .lokr import Lokr
from .lora import Lora
from .low_rank import LowRank
from .product import LORA_AND_WORDS, Product
from .textual_inversion import NewWords, TextualInversion

ADAPTERS: dict[str, type[LowRank]] = {"lora": Lora, "locon": Locon, "loha": Loha, "lokr": Lokr}
# settings that are passed to the adapter
ADAPTER_SETTINGS = ("rank", "alpha", "unet_rate", "text_rate", "text_rate_2", "plus")


@dataclass(frozen=True)
class Pivotal(Method):
    """Trains a new word first, then a LoRA around it, in one run. The LoRA learns what no word can say. Needs fewer
    steps than LoRA alone and changes the class word least. Type the word and the tag together."""

    name: ClassVar[str] = "pivotal"
    title: ClassVar[str] = "Pivotal Tuning"
    order: ClassVar[int] = 15
    for_beginners: ClassVar[bool] = True
    product: ClassVar[Product] = LORA_AND_WORDS
    prefers: ClassVar[dict[str, dict[str, Any]]] = {"data": {"template": "object"}, "saving": {"precision": "fp32"}}

    adapter: str = option("lora", "The kind of adapter.", choices=tuple(ADAPTERS))
    rank: int = option_like(LowRank, "rank", 8)
    alpha: float = option_like(LowRank, "alpha", 8.0)
    unet_rate: float = option_like(LowRank, "unet_rate")
    text_rate: float = option_like(LowRank, "text_rate", 0.0, help="Learning rate of the text encoder. 0: only the "
                                   "word learns there.")
    text_rate_2: float = option_like(LowRank, "text_rate_2")
    word_rate: float = option_like(TextualInversion, "rate", label="Learning rate, word")
    vectors: int = option_like(TextualInversion, "vectors")
    initial: str = option_like(TextualInversion, "initial")
    pivot: float = option(0.5, "Share of the steps after which the adapter starts to learn.", min=0.0, max=0.95)
    keep_learning: bool = option(False, "Keep training the word while the adapter is trained.", label="Keep training "
                                 "the word")
    hold_norm: bool = option_like(TextualInversion, "hold_norm")
    plus: float = option_like(LowRank, "plus")
    bundle: bool = option(False, "Also save word and adapter as one file, for sharing. It is saved in the folder "
                          "exports of the workspaces.",
                          label="Also as one file", advanced=True)

    def adapter_settings(self) -> LowRank:
        """The adapter's own settings."""
        return ADAPTERS[self.adapter](**{name: getattr(self, name) for name in ADAPTER_SETTINGS})

    @property
    def rates(self) -> dict[str, float]:
        return self.adapter_settings().rates

    def safe_precisions(self) -> tuple[str, ...]:
        return self.adapter_settings().safe_precisions()

    def header(self) -> dict[str, Any]:
        return self.adapter_settings().header()

    def files(self) -> tuple[str, ...]:
        return (*self.product.files, *(["bundle"] if self.bundle else []))

    def attach(self, model: Model, seed: int, words: tuple[NewWord, ...] = ()) -> Trainable:
        if self.bundle and (dotted := next((word.name for word in words if "." in word.name), "")):
            raise SettingError(f"The word {dotted!r} has a dot, and from one file with an adapter the WebUI would read "
                               f"it as {dotted.partition('.')[0]!r}. Choose another word, or switch 'Also as one file' "
                               "off.")
        span = (0.0, 1.0 if self.keep_learning or self.pivot == 0 else self.pivot)
        new = NewWords(model, words, self.vectors, self.word_rate, self.initial, self.hold_norm, seed, span)
        return WordAndAdapter(new, self.adapter_settings().attach(model, seed), self.pivot)


class WordAndAdapter:
    """A trainable made of two: the new words and an adapter."""

    def __init__(self, words: NewWords, adapter: Any, pivot: float):
        self.words, self.adapter, self.pivot = words, adapter, pivot
        self.parts = words.parts | adapter.parts

    def groups(self) -> list[ParameterGroup]:
        later = [replace(g, span=(self.pivot, 1.0)) for g in self.adapter.groups()]
        return [*self.words.groups(), *later]

    def state_dict(self) -> dict[str, Tensor]:
        return {**{f"word {k}": v for k, v in self.words.state_dict().items()}, **self.adapter.state_dict()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.words.load_state_dict({k.removeprefix("word "): v for k, v in state.items() if k.startswith("word ")})
        self.adapter.load_state_dict({k: v for k, v in state.items() if not k.startswith("word ")})

    def file_tensors(self) -> dict[str, Tensor]:
        """The adapter's and the words' tensors together: what the bundle holds."""
        return {**self.adapter.file_tensors(),
                **{f"bundle_emb.{name}.{'string_to_param.*' if len(own) == 1 else encoder}": vectors
                   for name, own in self.words.vectors().items() for encoder, vectors in own.items()}}

    def deltas(self) -> LazyTensors:
        return self.adapter.deltas()

    def after_step(self) -> None:
        self.words.after_step()

    def as_saved(self) -> AbstractContextManager[None]:
        return self.adapter.as_saved()

    def muted(self) -> AbstractContextManager[None]:
        """Only the adapter is muted: no class prompt contains the word."""
        return self.adapter.muted()

    def detach(self) -> None:
        self.adapter.detach()
        self.words.detach()
