"""Files of tensors as other programs leave them: safetensors, or torch's pickles, of which nothing is run."""

import pickle
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..methods.adapter import FormatError

# what reading a pickle may raise when its bytes are anything
BROKEN = (OSError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, ArithmeticError, AssertionError,
          EOFError, struct.error, pickle.UnpicklingError)
FORBIDDEN = re.compile(r"unsupported (?:global: GLOBAL|GLOBAL|class) ([\w.]+)", re.IGNORECASE)


def read_values(path: Path, what: str) -> Any:
    """What the file holds, on the CPU. what: calls it in messages. Raises FormatError."""
    if path.suffix.lower() != ".safetensors":
        return read_pickle(path, what)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{path.name} is not a readable safetensors file: {error}.") from None


def read_pickle(path: Path, what: str) -> Any:
    """Tensors and plain values. Raises FormatError, also for a pickle that would run something."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except BROKEN as error:
        raise FormatError(f"{path.name} is not a readable {what}: {why_unreadable(error)}.") from None


def why_unreadable(error: BaseException) -> str:
    """In our words: torch advises to open such a file without its protection."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if forbidden := FORBIDDEN.search(str(error)):
        return f"besides tensors it holds {forbidden[1]}, which could run a program, so it was not opened"
    return "it is damaged, or a file of another kind"


def read_tensors(path: Path, what: str) -> dict[str, Tensor]:
    """The file's tensors by their names; those of a pickle may stand in its state_dict. Raises FormatError."""
    values = read_values(path, what)
    inner = values.get("state_dict", values) if isinstance(values, Mapping) else {}
    tensors = {str(name): t for name, t in inner.items() if isinstance(t, Tensor)} if isinstance(inner, Mapping) else {}
    if not tensors:
        raise FormatError(f"{path.name} is not a readable {what}: it holds no tensors.")
    return tensors
