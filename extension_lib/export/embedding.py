"""Embedding files: the vectors of one new word, as the WebUI, ComfyUI and kohya's scripts read them."""

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from ..families.family import CHUNK as LONGEST
from ..families.family import SINGLE_VECTORS
from ..families.sdxl import SDXL
from ..methods.adapter import FormatError
from ..support.disk import write_bytes
from . import metadata
from .provenance import Provenance
from .tensor_file import read_values

PAIR = tuple(encoder.vectors for encoder in SDXL.text_encoders)
SUFFIXES = (".safetensors", ".pt", ".bin")
WordVectors = Mapping[str, Tensor]  # by the text encoder's name in such files, (n, width)


def write_embedding(path: Path, vectors: WordVectors, about: Provenance) -> None:
    """Raises SaveError."""
    tensors = {encoder: own.detach().to("cpu", torch.float32).contiguous() for encoder, own in vectors.items()}
    header = {
        **metadata.modelspec(about, "textual-inversion"), "modelspec.title": path.stem,
        "modelspec.trigger_phrase": path.stem
    }
    write_bytes(path, save(tensors, header))


def write_embedding_pt(path: Path, vectors: WordVectors, about: Provenance) -> None:
    """The older form. Written in torch's legacy layout: the WebUI's safe reader rejects newer archives.

    Where there are several text encoders it holds what the newer form holds.
    """
    plain = {encoder: own.detach().to("cpu", torch.float32).clone() for encoder, own in vectors.items()}
    content: dict[str, object] = {**plain} if len(plain) > 1 else {
        "string_to_token": {"*": 265}, "string_to_param": {"*": next(iter(plain.values()))},
        "name": path.stem, "step": about.step, "sd_checkpoint": about.checkpoint_hash[:10] or None,
        "sd_checkpoint_name": about.checkpoint.stem
    }
    data = io.BytesIO()
    torch.save(content, data, _use_new_zipfile_serialization=False)
    write_bytes(path, data.getvalue())


def read_embedding(path: Path) -> WordVectors:
    """Raises FormatError for what is no embedding."""
    found = read_values(path, "embedding")
    found = found.get("string_to_param", found) if isinstance(found, Mapping) else {}
    held = {str(key): t for key, t in found.items() if isinstance(t, Tensor)} if isinstance(found, Mapping) else {}
    return word_vectors(held, path.name)


def word_vectors(held: Mapping[str, Tensor], file: str) -> WordVectors:
    """A word's vectors as files hold them: one tensor under any name, or one for each encoder. Raises FormatError."""
    if len(held) == 1:
        return {SINGLE_VECTORS: checked_vectors(next(iter(held.values())), file)}
    if held.keys() != set(PAIR):
        raise FormatError(f"{file} holds {len(held)} tensors; an embedding holds one, or {' and '.join(PAIR)}.")
    return {encoder: checked_vectors(held[encoder], file) for encoder in PAIR}


def checked_vectors(tensor: Tensor, file: str) -> Tensor:
    """(n, width) fp32. Raises FormatError where they cannot stand for a word."""
    shape = tuple(tensor.shape)
    if tensor.dim() not in (1, 2) or not tensor.numel() or not tensor.is_floating_point():
        raise FormatError(f"{file} holds no vectors of a word, but a tensor of {shape}.")
    if not tensor.isfinite().all():
        raise FormatError(f"{file} holds numbers that are not finite (NaN). It was broken when it was trained.")
    vectors = tensor.float().reshape(-1, shape[-1])
    if len(vectors) > LONGEST:
        raise FormatError(f"{file} holds {len(vectors)} vectors; a prompt has room for {LONGEST} in a row.")
    return vectors
