"""Embedding files: the vectors of one new word, as the WebUI, ComfyUI and kohya's scripts read them."""

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor

from ..families.family import CHUNK as LONGEST
from ..methods.adapter import FormatError
from ..support.disk import write_bytes
from . import metadata
from .provenance import Provenance
from .tensor_file import read_values

KEY = "emb_params"
SUFFIXES = (".safetensors", ".pt", ".bin")


def write_embedding(path: Path, vectors: Tensor, about: Provenance) -> None:
    """vectors: (n, width). Raises SaveError."""
    tensors = {KEY: vectors.detach().to("cpu", torch.float32).contiguous()}
    header = {
        **metadata.modelspec(about, "textual-inversion"), "modelspec.title": path.stem,
        "modelspec.trigger_phrase": path.stem
    }
    write_bytes(path, save(tensors, header))


def write_embedding_pt(path: Path, vectors: Tensor, about: Provenance) -> None:
    """The older form. Written in torch's legacy layout: the WebUI's safe reader rejects newer archives."""
    content = {
        "string_to_token": {"*": 265}, "string_to_param": {"*": vectors.detach().to("cpu", torch.float32).clone()},
        "name": path.stem, "step": about.step, "sd_checkpoint": about.checkpoint_hash[:10] or None,
        "sd_checkpoint_name": about.checkpoint.stem
    }
    data = io.BytesIO()
    torch.save(content, data, _use_new_zipfile_serialization=False)
    write_bytes(path, data.getvalue())


def read_embedding(path: Path) -> Tensor:
    """(n, width) fp32. Raises FormatError for what is no embedding of one text encoder."""
    found = read_values(path, "embedding")
    found = found.get("string_to_param", found) if isinstance(found, Mapping) else {}
    tensors = [t for t in found.values() if isinstance(t, Tensor)] if isinstance(found, Mapping) else []
    if len(tensors) != 1:
        raise FormatError(f"{path.name} holds {len(tensors)} tensors; an embedding for Stable Diffusion 1 holds one.")
    return checked_vectors(tensors[0], path.name)


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
