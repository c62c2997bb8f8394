"""The WebUI's loaded model while it is borrowed, and the new words among its embeddings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from modules import devices, sd_hijack, sd_hijack_clip, sd_models
from modules.textual_inversion import textual_inversion
from torch import Tensor

from ...diffusion.prompts import NewWords, WordVectors
from ...host import HostError
from ...model import Condition
from ...models.ldm_view import LdmView
from ...models.text_encoder import LoadedTextEncoder

GONE = "The WebUI has unloaded or moved the checkpoint while it was being trained. Load it again and continue."


class KnownWords:
    """The WebUI's embeddings, and the new words that are being trained.

    The words are also kept here, because every Refresh button of the WebUI removes them from its list, even during
    training.
    """

    def __init__(self, sd_model: Any):
        self.sd_model = sd_model
        self.database = sd_hijack.model_hijack.embedding_db
        self.own = NewWords()
        self.embeddings: dict[str, Any] = {}  # the new words as the WebUI's objects
        self.displaced: dict[str, Any] = {}  # the user's embeddings that have the same names

    def at(self, tokens: list[int], place: int) -> tuple[Tensor, int] | None:
        own = self.own.at(tokens, place)
        found, length = self.database.find_embedding_at_position(tokens, place)
        return own if found is None or (own and own[1] >= length) else (found.vec, length)

    def add(self, name: str, tokens: list[int], vectors: Tensor) -> None:
        self.own.add(name, tokens, vectors)
        embedding = self.embeddings[name] = textual_inversion.Embedding(vectors, name)
        embedding.vectors, embedding.shape = vectors.shape
        self.register()

    def register(self) -> None:
        """Adds the words to the WebUI's list where they are missing."""
        for name, embedding in self.embeddings.items():
            there = self.database.word_embeddings.get(name)
            if there is not embedding:
                if there is not None:
                    self.displaced[name] = there
                self.database.register_embedding(embedding, self.sd_model)

    def remove(self, name: str) -> None:
        self.own.remove(name)
        del self.embeddings[name]
        self.database.register_embedding_by_name(None, self.sd_model, name)
        if name in self.displaced:
            self.database.register_embedding(self.displaced.pop(name), self.sd_model)


class BorrowedTextEncoder(LoadedTextEncoder):
    """The loaded model's text encoder, which the WebUI has wrapped."""

    def vocabulary(self) -> Tensor:
        return self.model.get_input_embeddings().wrapped.weight.detach()

    @contextmanager
    def inserting_words(self, rows: list[tuple[WordVectors, ...]]) -> Iterator[None]:
        """In the WebUI's own way, as for every prompt of txt2img."""
        sd_hijack.model_hijack.fixes = [[
            sd_hijack_clip.PromptChunkFix(f.place - 1, textual_inversion.Embedding(f.vectors, "")) for f in row
        ] for row in rows]
        try:
            yield
        finally:
            sd_hijack.model_hijack.fixes = None


class BorrowedView(LdmView):
    """The loaded model; notices when the WebUI unloads it during training."""

    text_encoder = BorrowedTextEncoder

    def __init__(self, sd_model: Any):
        compute = devices.dtype_unet if devices.dtype_unet.is_floating_point else devices.dtype
        super().__init__(sd_model, torch.device(devices.device), compute)
        self.sd_model = sd_model
        self.weight = next(self.unet.parameters())
        self.words = self.text_encoders[0].words = KnownWords(sd_model)

    def predict(self, noisy: Tensor, t: Tensor, condition: Condition) -> Tensor:
        if sd_models.model_data.sd_model is not self.sd_model or self.weight.device.type != self.device.type:
            raise HostError(GONE)
        return super().predict(noisy, t, condition)
