"""A text encoder of a loaded model: its layers, its words, and what it makes of prompts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..diffusion import prompts as prompting
from ..families.family import TEXT_BLOCK, TextEncoder
from ..model import Layer, Weight
from .names import lora_key
from .text_names import checkpoint_name, text_path

ADAPTABLE = (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm)
PADDING = 0  # OpenCLIP's, behind a prompt's end


class LoadedTextEncoder:
    """names: as the family has them; model: a transformers CLIPTextModel, with a projection where the family pools."""

    def __init__(self, names: TextEncoder, model: Any, tokenizer: Any):
        self.names, self.model, self.tokenizer = names, model, tokenizer
        self.words: Any = prompting.NewWords()

    def layers(self) -> Iterator[Layer]:
        for name, module in self.model.named_modules():
            if isinstance(module, ADAPTABLE):
                yield self.layer(text_path(name), module)

    def layer(self, path: str, module: Any) -> Layer:
        return Layer(path, self.names.part, TEXT_BLOCK, module, tuple(module.weight.shape),
                     lora_key(self.names.prefix, path), openclip=self.names.openclip)

    def weights(self) -> Iterator[Weight]:
        for name, parameter in self.model.named_parameters():
            if "embeddings." not in name:
                yield Weight(checkpoint_name(self.names, name), self.names.part, parameter)

    def cut(self, prompts: list[str], syntax: bool) -> list[list[prompting.Chunk]]:
        return [prompting.split_into_chunks(self.tokenizer, prompt, syntax, self.words, self.padding)
                for prompt in prompts]

    @property
    def padding(self) -> int | None:
        return PADDING if self.names.openclip else None

    def encode(self, rows: list[list[prompting.Chunk]], count: int, clip_skip: int) -> tuple[Tensor, Tensor | None]:
        """(prompts, tokens, width) and, where it pools, (prompts, width) of prompts filled up to so many chunks."""
        filled = prompting.fill_up(rows, count, prompting.split_into_chunks(self.tokenizer, "", padding=self.padding))
        return prompting.encode(filled, lambda ids: self.run(ids, clip_skip), self.inserting_words, self.device)

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    def run(self, ids: Tensor, clip_skip: int) -> tuple[Tensor, Tensor | None]:
        """(n, 77) ids to (n, 77, width) and (n, width) or None. clip_skip 1 is the layer that the family reads."""
        skip = self.names.skip + clip_skip - 1
        if skip == 1 and self.names.final_norm and not self.names.pools:
            return self.model(input_ids=ids).last_hidden_state, None
        out = self.model(input_ids=ids, output_hidden_states=True)
        hidden = out.hidden_states[-skip]
        if self.names.final_norm:
            inner = getattr(self.model, "text_model", self.model)  # transformers 5 has no text_model inside
            hidden = inner.final_layer_norm(hidden)
        return hidden, out.text_embeds if self.names.pools else None

    @contextmanager
    def inserting_words(self, rows: list[tuple[prompting.WordVectors, ...]]) -> Iterator[None]:
        """Within, the model's embedded tokens are replaced where new words stand."""
        hook = self.token_table().register_forward_hook(
            lambda module, given, embedded: prompting.insert_vectors(embedded, rows))
        try:
            yield
        finally:
            hook.remove()

    def token_table(self) -> Any:
        """The module that turns ids into vectors."""
        return self.model.get_input_embeddings()

    def vocabulary(self) -> Tensor:
        return self.token_table().weight.detach()

    def tokens(self, text: str) -> list[int]:
        return prompting.tokens_of(self.tokenizer, text)

    def add_word(self, name: str, vectors: Tensor) -> None:
        self.words.add(name, self.tokens(name), vectors)
