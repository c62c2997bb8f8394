"""Embedding files: the vectors of one new word, as the WebUI, ComfyUI and kohya's scripts read them."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ..methods.adapter import FormatError
from ..support.disk import write_bytes
from . import metadata
from .provenance import Provenance

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
    try:
        found: Any = load_file(path) if path.suffix == ".safetensors" else torch.load(
            path, map_location="cpu", weights_only=True)
        found = found.get("string_to_param", found)
        tensors = [t for t in found.values() if isinstance(t, Tensor)]
    except (SafetensorError, OSError, RuntimeError, ValueError, AttributeError, EOFError,
            pickle.UnpicklingError) as error:
        raise FormatError(f"{path.name} is not a readable embedding: {error}.") from None
    if len(tensors) != 1:
        raise FormatError(f"{path.name} holds {len(tensors)} tensors; an embedding for Stable Diffusion 1 holds one.")
    return tensors[0].float().reshape(-1, tensors[0].shape[-1])
