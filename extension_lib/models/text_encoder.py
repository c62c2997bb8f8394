"""A text encoder of a loaded model: its layers, its words, and what it makes of prompts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from ..diffusion import prompts as prompting
from ..families.family import TEXT_BLOCK, TextEncoder
from ..model import Layer, Weight
from .names import lora_key

ADAPTABLE = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm)


class LoadedTextEncoder:
    """names: as the family has them; model: a transformers CLIPTextModel."""

    def __init__(self, names: TextEncoder, model: Any, tokenizer: Any):
        self.names, self.model, self.tokenizer = names, model, tokenizer
        self.words: Any = prompting.NewWords()

    def layers(self) -> Iterator[Layer]:
        for name, module in self.model.named_modules():
            if isinstance(module, ADAPTABLE):
                path = text_path(name)
                yield Layer(path, self.names.part, TEXT_BLOCK, module, tuple(module.weight.shape),
                            lora_key(self.names.prefix, path))

    def weights(self) -> Iterator[Weight]:
        for name, parameter in self.model.named_parameters():
            path = text_path(name)
            if ".embeddings." not in path:
                yield Weight(f"{self.names.checkpoint}{path}", self.names.part, parameter)

    def encode(self, prompts: list[str], clip_skip: int, syntax: bool) -> Tensor:
        """(prompts, tokens, width)"""
        return prompting.encode(self.model, self.tokenizer, prompts, clip_skip, syntax, self.words,
                                self.inserting_words)

    @contextmanager
    def inserting_words(self, rows: list[tuple[prompting.WordVectors, ...]]) -> Iterator[None]:
        """Within, the model's embedded tokens are replaced where new words stand."""
        hook = self.model.get_input_embeddings().register_forward_hook(
            lambda module, given, embedded: prompting.insert_vectors(embedded, rows))
        try:
            yield
        finally:
            hook.remove()

    def vocabulary(self) -> Tensor:
        return self.model.get_input_embeddings().weight.detach()

    def tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, truncation=False, add_special_tokens=False)["input_ids"]

    def add_word(self, name: str, vectors: Tensor) -> None:
        self.words.add(name, self.tokens(name), vectors)


def text_path(name: str) -> str:
    """The path of a text encoder's module in files; transformers 5 leaves out the beginning."""
    return name if name.startswith("text_model.") else f"text_model.{name}"
