"""Textual Inversion: only the vectors of new words are learned, the model stays as it is (Gal et al., 2022,
arXiv:2208.01618).
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..model import Model
from ..settings import SettingError, option
from ..support.seeds import generator_for
from .base import Method, NewWord, ParameterGroup, Trainable
from .layer import load_tensors
from .product import EMBEDDING, Product


@dataclass(frozen=True)
class TextualInversion(Method):
    """Learns a new word for something that the checkpoint can almost draw already. The file has a few kilobytes and
    works together with any LoRA and on related checkpoints. It cannot teach what the checkpoint is unable to draw."""

    name: ClassVar[str] = "textual_inversion"
    title: ClassVar[str] = "Textual Inversion"
    order: ClassVar[int] = 16
    for_beginners: ClassVar[bool] = True
    product: ClassVar[Product] = EMBEDDING
    precisions: ClassVar[tuple[str, ...]] = ("fp32",)
    prefers: ClassVar[dict[str, dict[str, Any]]] = {
        "data": {"template": "object"}, "training": {"batch_size": 4, "weight_decay": 0.0, "clip": 0.0},
        "saving": {"precision": "fp32"}}

    vectors: int = option(4, "How many vectors each new word has. It takes as many of a prompt's 75 tokens. 1 "
                          "for something simple, 4 to 8 for a person or a style.", min=1, max=16)
    rate: float = option(5e-3, "Learning rate of the word's vectors.", min=0.0, max=1.0, label="Learning rate",
                         small=True)
    initial: str = option("", "What the new words start from, such as 'woman' or 'painting'. Empty: each concept's "
                          "class prompt, or the average of all words.", label="Initial words")
    hold_norm: bool = option(True, "Limit the length of the vectors to that of known words, so that the new word does "
                             "not drown out the rest of the prompt.", label="Limit vector length", advanced=True)
    also_pt: bool = option(False,
                           "Also save the older .pt format. It is saved in the folder exports of the workspaces.",
                           label="Also as .pt", advanced=True)

    def files(self) -> tuple[str, ...]:
        return (*self.product.files, *(["embedding_pt"] if self.also_pt else []))

    def attach(self, model: Model, seed: int, words: tuple[NewWord, ...] = ()) -> Trainable:
        return NewWords(model, words, self.vectors, self.rate, self.initial, self.hold_norm, seed)


class NewWords:
    """A trainable: for each new word a parameter (vectors, width) in each text encoder."""

    def __init__(self, model: Model, words: tuple[NewWord, ...], count: int, rate: float, initial: str, hold_norm: bool,
                 seed: int, span: tuple[float, float] = (0.0, 1.0)):
        if not words:
            raise SettingError("There is no new word to learn. Give the output a name, or each concept a word.")
        self.model, self.rate, self.span = model, rate, span
        self.parts = model.family.text_parts
        tables = {encoder: table.to(model.device).float() for encoder, table in model.vocabularies().items()}
        self.max_norms = {encoder: table.norm(dim=1).mean().item() for encoder, table in tables.items() if hold_norm}
        self.words = {
            w.name: {
                encoder: nn.Parameter(initial_vectors(model, table, initial or w.initial, count, (seed, w.name)))
                for encoder, table in tables.items()
            }
            for w in words
        }
        for name, vectors in self.words.items():
            model.add_word(name, vectors)

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """By the word's name, with the text encoder's behind it where there are several."""
        return {state_name(name, encoder, vectors): parameter for name, vectors in self.words.items()
                for encoder, parameter in vectors.items()}

    def groups(self) -> list[ParameterGroup]:
        return [ParameterGroup("words", self.rate, list(self.parameters.values()), self.span)]

    def state_dict(self) -> dict[str, Tensor]:
        return dict(self.parameters)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        own = self.state_dict()
        gone, new = sorted(state.keys() - own.keys()), sorted(own.keys() - state.keys())
        if len(gone) == len(new) == len(self.words[next(iter(self.words))]):
            # one word, called as the output, which may have another name by now
            renamed = dict(zip(gone, new))
            state = {renamed.get(name, name): tensor for name, tensor in state.items()}
        load_tensors(own, state)

    def file_tensors(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self.parameters.items()}

    def vectors(self) -> dict[str, dict[str, Tensor]]:
        """By word and text encoder, the vectors (n, width)."""
        return {name: {encoder: parameter.detach() for encoder, parameter in own.items()}
                for name, own in self.words.items()}

    def deltas(self) -> dict[str, Tensor]:
        return {}

    @torch.no_grad()
    def after_step(self) -> None:
        """Vectors that outgrew the vocabulary's are shortened to its mean length."""
        for vectors in self.words.values():
            for encoder, longest in self.max_norms.items():
                own = vectors[encoder]
                own.mul_((longest / own.norm(dim=1, keepdim=True)).clamp(max=1.0))

    def as_saved(self) -> AbstractContextManager[None]:
        return nullcontext()

    def muted(self) -> AbstractContextManager[None]:
        raise SettingError("prior.penalty is for methods that add to the model; a new word changes no class prompt. "
                           "Set it to 0.")

    def detach(self) -> None:
        for name in self.words:
            self.model.remove_word(name)


def state_name(name: str, encoder: str, vectors: Mapping[str, Tensor]) -> str:
    return f"{name} {encoder}" if len(vectors) > 1 else name


def initial_vectors(model: Model, table: Tensor, text: str, count: int, key: object) -> Tensor:
    """(count, width): the vectors of the text's tokens in turn, a little apart; without text, near the vocabulary's
    middle.
    """
    tokens = model.tokens(text) if text else []
    start = table[[tokens[n % len(tokens)] for n in range(count)]] if tokens else table.mean(0).expand(count, -1)
    apart = 0.1 * table.std() * torch.randn(start.shape, generator=generator_for("word", key)).to(table.device)
    return (start + apart).clone()
