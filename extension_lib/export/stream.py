"""safetensors files written tensor by tensor, so that no copy of the whole is held in memory."""

import json
import struct
from dataclasses import dataclass

import torch
from torch import Tensor

DTYPE_NAMES = {torch.float16: "F16", torch.bfloat16: "BF16", torch.float32: "F32", torch.int64: "I64",
               torch.uint8: "U8"}


@dataclass(frozen=True)
class TensorEntry:
    """A tensor of the file to be written."""

    name: str
    dtype: str
    shape: list[int]
    size: int  # bytes


def make_entry(name: str, shape: list[int], dtype: torch.dtype) -> TensorEntry:
    return TensorEntry(name, DTYPE_NAMES[dtype], shape, torch.Size(shape).numel() * dtype.itemsize)


def header_bytes(entries: list[TensorEntry], metadata: dict[str, str]) -> bytes:
    """The start of a file. The bytes of the entries follow in their order."""
    described: dict[str, object] = {"__metadata__": metadata}
    place = 0
    for one in entries:
        described[one.name] = {"dtype": one.dtype, "shape": one.shape, "data_offsets": [place, place + one.size]}
        place += one.size
    text = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def tensor_bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()
