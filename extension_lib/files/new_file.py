"""New files, written tensor by tensor: their numbers wait on the disk until the header that goes before is known."""

import hashlib
import mmap
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

from ..export.lora import tensor_in_precision
from ..export.stream import DTYPE_NAMES, TensorEntry, header_bytes, make_entry, tensor_bytes
from ..support.disk import replacing
from .source import FileProblem, Tensors

CHUNK = 2**22
SUFFIXES = (".safetensors", ".pt")
TYPES = {name: dtype for dtype, name in DTYPE_NAMES.items()}


def require_free(path: Path, overwrite: bool = False, *sources: Path | None) -> None:
    """Raises FileProblem for a name that cannot be written to, or that is taken."""
    if path.suffix.lower() not in SUFFIXES:
        raise FileProblem(f"{path.name} does not end as a file that can be written. Call it {path.stem}.safetensors.")
    if any(source is not None and path.resolve() == source.resolve() for source in sources):
        raise FileProblem(f"{path.name} is one of the files that are read. Give the new file another name.")
    if path.exists() and not overwrite:
        raise FileProblem(f"{path} exists already. Choose another name, or allow it to be replaced.")


class NewFile:
    """Tensors on their way to a file. metadata: what its header says."""

    def __init__(self, path: Path, dtype: torch.dtype | None, stack: ExitStack):
        """dtype: of matrices; None: as they come."""
        self.path, self.dtype, self.stack = path, dtype, stack
        self.metadata: dict[str, str] = {}
        self.waiting: dict[int, IO[bytes]] = {}  # by bytes of a number: the larger go first, so that all are aligned
        self.entries: dict[int, list[TensorEntry]] = {}

    def add(self, name: str, tensor: Tensor) -> None:
        if not tensor.is_floating_point():
            tensor = tensor.to(torch.int64)
        elif self.dtype is not None:
            tensor = tensor_in_precision(name, tensor, self.dtype)
        elif tensor.dtype not in DTYPE_NAMES:
            tensor = tensor.float()
        size = tensor.element_size()
        if size not in self.waiting:
            self.waiting[size] = self.stack.enter_context(tempfile.TemporaryFile(dir=self.path.parent))  # noqa: SIM115
            self.entries[size] = []
        self.entries[size].append(make_entry(name, list(tensor.shape), tensor.dtype))
        self.waiting[size].write(tensor_bytes(tensor))

    def add_layer(self, key: str, tensors: Tensors) -> None:
        for tensor, value in tensors.items():
            self.add(f"{key}.{tensor}", value)

    @property
    def names(self) -> list[str]:
        return [one.name for size in sorted(self.waiting, reverse=True) for one in self.entries[size]]

    def write(self, part: Path) -> None:
        """Raises FileProblem where nothing was added."""
        if not self.names:
            raise FileProblem(f"Nothing is left to be written into {self.path.name}: the result changes no layer.")
        if self.path.suffix.lower() == ".safetensors":
            self.write_safetensors(part)
        else:
            self.write_pickle(part)

    def write_safetensors(self, part: Path) -> None:
        sizes = sorted(self.waiting, reverse=True)
        digest = hashlib.sha256()
        for size in sizes:
            for held in chunks(self.waiting[size]):
                digest.update(held)
        metadata = {**self.metadata, "sshs_model_hash": digest.hexdigest()}
        with open(part, "wb") as file:
            file.write(header_bytes([one for size in sizes for one in self.entries[size]], metadata))
            for size in sizes:
                for held in chunks(self.waiting[size]):
                    file.write(held)
            file.flush()
            os.fsync(file.fileno())

    def write_pickle(self, part: Path) -> None:
        """In torch's legacy layout: the WebUI's safe reader rejects newer archives. The numbers stay on the disk."""
        tensors = {}
        for size, held in self.waiting.items():
            held.flush()
            place = 0
            mapped = mmap.mmap(held.fileno(), 0, access=mmap.ACCESS_COPY)
            for one in self.entries[size]:
                count = one.size // size
                tensors[one.name] = torch.frombuffer(mapped, dtype=TYPES[one.dtype], count=count,
                                                     offset=place).view(one.shape) if count else torch.empty(one.shape)
                place += one.size
        torch.save(tensors, part, _use_new_zipfile_serialization=False)


def chunks(file: IO[bytes]) -> Iterator[bytes]:
    """All that was written to it."""
    file.seek(0)
    while held := file.read(CHUNK):
        yield held


@contextmanager
def new_file(path: Path, dtype: torch.dtype | None = None) -> Iterator[NewFile]:
    """Within, tensors are added; on leaving, the file appears whole. Raises SaveError, FileProblem."""
    with replacing(path) as part, ExitStack() as stack:
        made = NewFile(path, dtype, stack)
        yield made
        made.write(part)
