"""Pivotal Tuning: a new word first, then an adapter around it (Roich et al., 2021, arXiv:2106.05744; cloneofsimo, 2022)."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from ..model import Model
from ..settings import SettingError, option
from ..support.lazy import LazyTensors
from .base import Group, NewWord, Trainable
from .locon import Locon
from .loha import Loha
from .lokr import Lokr
from .lora import Lora
from .low_rank import LowRank, plus_ratio
from .textual_inversion import NewWords

ADAPTERS: dict[str, type[LowRank]] = {"lora": Lora, "locon": Locon, "loha": Loha, "lokr": Lokr}


@dataclass(frozen=True)
class Pivotal:
    """A new word and a LoRA in one run: the word finds the place, the LoRA learns what no word could say. Needs fewer steps than
    LoRA alone and disturbs the class word least. Type the word and the tag together."""

    name: ClassVar[str] = "pivotal"
    title: ClassVar[str] = "Pivotal Tuning"
    order: ClassVar[int] = 15
    product: ClassVar[str] = "pivotal"
    prefers: ClassVar[dict[str, dict[str, Any]]] = {"data": {"template": "object"}, "saving": {"precision": "fp32"}}

    adapter: str = option("lora", "The kind of adapter.", choices=tuple(ADAPTERS))
    rank: int = option(8, "The adapter's rank.", min=1, max=1024)
    alpha: float = option(8.0, "The adapter's alpha.", min=0.01, max=4096.0)
    unet_rate: float = option(1e-4, "Learning rate of the part that draws.", min=0.0, max=1.0, label="Learning rate, UNet",
                              small=True)
    text_rate: float = option(0.0, "Learning rate of the text encoder. 0: the word alone learns there.", min=0.0, max=1.0,
                              label="Learning rate, text encoder", small=True)
    word_rate: float = option(5e-3, "Learning rate of the word's vectors.", min=0.0, max=1.0, label="Learning rate, word",
                              small=True)
    vectors: int = option(4, "How many vectors the new word has.", min=1, max=16)
    initial: str = option("", "What the word begins as. Empty: the concept's class prompt.", label="Initial words")
    pivot: float = option(0.5, "Share of the steps after which the adapter begins.", min=0.0, max=0.95)
    keep_learning: bool = option(False, "Let the word learn on while the adapter does.", label="Word learns on")
    hold_norm: bool = option(True, "Keep the vectors about as long as those of known words.", label="Hold their length",
                             advanced=True)
    plus: float = plus_ratio()
    bundle: bool = option(False, "Also write word and adapter as one file, for sharing; it lies in the workspaces' folder exports.",
                          label="Also as one file", advanced=True)

    @property
    def precisions(self) -> tuple[str, ...]:
        return ADAPTERS[self.adapter].precisions

    def kind(self) -> LowRank:
        """The adapter's own settings."""
        return ADAPTERS[self.adapter](rank=self.rank, alpha=self.alpha, unet_rate=self.unet_rate, text_rate=self.text_rate,
                                      plus=self.plus)

    @property
    def algorithm(self) -> str:
        return ADAPTERS[self.adapter].algorithm

    def attach(self, model: Model, seed: int, words: tuple[NewWord, ...] = ()) -> Trainable:
        if self.bundle and (dotted := next((word.name for word in words if "." in word.name), "")):
            raise SettingError(f"The word {dotted!r} has a dot, and from one file with an adapter the WebUI would read it as "
                               f"{dotted.partition('.')[0]!r}. Choose another word, or switch 'Also as one file' off.")
        span = (0.0, 1.0 if self.keep_learning or self.pivot == 0 else self.pivot)
        new = NewWords(model, words, self.vectors, self.word_rate, self.initial, self.hold_norm, seed, span)
        return WordAndAdapter(new, self.kind().attach(model, seed), self.pivot)


class WordAndAdapter:
    """A trainable made of two."""

    def __init__(self, words: NewWords, adapter: Any, pivot: float):
        self.words, self.adapter, self.pivot = words, adapter, pivot
        self.parts = words.parts | adapter.parts

    def groups(self) -> list[Group]:
        later = [Group(g.name, g.rate, g.parameters, (self.pivot, 1.0)) for g in self.adapter.groups()]
        return [*self.words.groups(), *later]

    def state_dict(self) -> dict[str, Tensor]:
        return {**{f"word {k}": v for k, v in self.words.state_dict().items()}, **self.adapter.state_dict()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.words.load_state_dict({k.removeprefix("word "): v for k, v in state.items() if k.startswith("word ")})
        self.adapter.load_state_dict({k: v for k, v in state.items() if not k.startswith("word ")})

    def saved(self) -> dict[str, Tensor]:
        """The adapter's and the words' tensors together: what the bundle holds."""
        return {**self.adapter.saved(),
                **{f"bundle_emb.{name}.string_to_param.*": v for name, v in self.words.saved().items()}}

    def deltas(self) -> LazyTensors:
        return self.adapter.deltas()

    def after_step(self) -> None:
        self.words.after_step()

    def as_saved(self) -> AbstractContextManager[None]:
        return self.adapter.as_saved()

    def muted(self) -> AbstractContextManager[None]:
        """The word needs no muting: no class prompt holds it."""
        return self.adapter.muted()

    def detach(self) -> None:
        self.adapter.detach()
        self.words.detach()
