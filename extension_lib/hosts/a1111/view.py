"""The WebUI's loaded model while it is borrowed, and the new words among its embeddings."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from modules import devices, sd_hijack, sd_hijack_clip, sd_models
from modules.textual_inversion import textual_inversion
from torch import Tensor, nn

from ...diffusion.prompts import NewWords, WordVectors
from ...families.family import Family
from ...host import HostError
from ...model import Condition, Diffusion
from ...models.ldm_view import LdmView
from ...models.openclip_encoder import OpenClipTextEncoder
from ...models.text_encoder import LoadedTextEncoder
from .attention import DifferentiableAttention
from .loaders import lora_extension
from .low_memory import LowMemory

PARTS = ("unet", "te", "vae")
GONE = "The WebUI has unloaded or moved the checkpoint while it was being trained. Load it again and continue."


def compute_type(device: torch.device) -> torch.dtype:
    """As the WebUI draws: weights that it stores in 8 bits are computed with in 16."""
    if devices.fp8:
        return torch.bfloat16 if device.type == "cpu" else torch.float16
    return devices.dtype_unet if devices.dtype_unet.is_floating_point else devices.dtype


class NewEmbeddings:
    """The new words that are being trained, as the WebUI's embeddings.

    They are also kept here, because every Refresh button of the WebUI removes them from its list, even during
    training.
    """

    def __init__(self, sd_model: Any):
        self.sd_model = sd_model
        self.database = sd_hijack.model_hijack.embedding_db
        self.embeddings: dict[str, Any] = {}
        self.displaced: dict[str, Any] = {}  # the user's embeddings that have the same names

    def add(self, name: str, vectors: Mapping[str, Tensor]) -> None:
        single = len(vectors) == 1
        embedding = textual_inversion.Embedding(next(iter(vectors.values())) if single else dict(vectors), name)
        embedding.vectors = next(iter(vectors.values())).shape[0]
        embedding.shape = sum(own.shape[1] for own in vectors.values())
        self.embeddings[name] = embedding
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
        del self.embeddings[name]
        self.database.register_embedding_by_name(None, self.sd_model, name)
        if name in self.displaced:
            self.database.register_embedding(self.displaced.pop(name), self.sd_model)


class KnownWords(NewWords):
    """The new words and the WebUI's embeddings, as one text encoder has them."""

    def __init__(self, encoder: str):
        """encoder: its name in embedding files."""
        super().__init__()
        self.encoder = encoder

    def at(self, tokens: list[int], place: int) -> tuple[Tensor, int] | None:
        own = super().at(tokens, place)
        found, length = sd_hijack.model_hijack.embedding_db.find_embedding_at_position(tokens, place)
        if found is None or (own and own[1] >= length):
            return own
        return (found.vec[self.encoder] if isinstance(found.vec, dict) else found.vec), length


class BorrowedEncoder(LoadedTextEncoder):
    """What the WebUI's wrapping changes in a text encoder."""

    def vocabulary(self) -> Tensor:
        return self.token_table().wrapped.weight.detach()

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


class BorrowedOpenClipEncoder(BorrowedEncoder, OpenClipTextEncoder):
    """The same of OpenCLIP's."""


class BorrowedTokenizer:
    """OpenCLIP's own tokenizer with the verbs of transformers'."""

    def __init__(self) -> None:
        from open_clip.tokenizer import _tokenizer

        self.own = _tokenizer
        self.bos_token_id = self.own.encoder["<start_of_text>"]
        self.eos_token_id = self.own.encoder["<end_of_text>"]

    def __call__(self, text: str, **unused: Any) -> dict[str, list[int]]:
        return {"input_ids": self.own.encode(text)}


class BorrowedView(LdmView):
    """The loaded model; notices when the WebUI unloads it during training."""

    text_encoder = BorrowedEncoder
    openclip_encoder = BorrowedOpenClipEncoder

    def __init__(self, sd_model: Any, family: Family, diffusion: Diffusion):
        device = torch.device(devices.device)
        super().__init__(sd_model, device, compute_type(device), family, diffusion)
        self.sd_model = sd_model
        self.words = NewEmbeddings(sd_model)
        self.attention = DifferentiableAttention()
        self.low_memory = LowMemory(sd_model)
        if self.low_memory.active:
            self.parked = set(PARTS)
        for encoder in self.text_encoders:
            encoder.words = KnownWords(encoder.names.vectors)

    def tokenizer_of(self, embedder: Any) -> Any:
        return BorrowedTokenizer()

    def before_attention(self, attention: nn.Module) -> None:
        """As the Lora extension has it in the attention's own forward, which is replaced."""
        lora_extension().network_apply_weights(attention)

    def add_word(self, name: str, vectors: Mapping[str, Tensor]) -> None:
        super().add_word(name, vectors)
        self.words.add(name, vectors)

    def remove_word(self, name: str) -> None:
        super().remove_word(name)
        self.words.remove(name)

    def unpark(self) -> None:
        """In a low-memory mode the parts go back to where they were, when it is no longer lifted."""
        if not self.low_memory.active:
            super().unpark()

    @contextmanager
    def unparked(self) -> Iterator[None]:
        if not self.low_memory.active:
            with super().unparked():
                yield
            return
        for part in PARTS:
            self.park(part)
        with self.low_memory.set_aside():
            yield

    def predict(self, noisy: Tensor, t: Tensor, condition: Condition) -> Tensor:
        self.fetch("unet")
        here = next(self.unet.parameters()).device.type == self.device.type
        if sd_models.model_data.sd_model is not self.sd_model or not here:
            raise HostError(GONE)
        return super().predict(noisy, t, condition)
