"""Checking a file: numbers that are none, layers that are incomplete or of no known kind, and what does not fit."""

import hashlib
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ..export import lora
from .arithmetic import delta_of
from .base import Checkpoint, opened_checkpoint
from .progress import Tool, counted_off
from .source import AdapterFile, FileProblem, Tensors, opened

MOST = 1e4  # a number larger than this in a file was not trained on purpose


@dataclass(frozen=True)
class Finding:
    """layer: its key; "" for the whole file."""

    layer: str
    text: str


def check(path: Path, base: Path | None = None) -> Tool[list[Finding]]:
    """What is wrong with the file; with a base, also what has no place in it. Raises FileProblem."""
    found: list[Finding] = []
    with ExitStack() as stack:
        file = stack.enter_context(opened(path))
        checkpoint = stack.enter_context(opened_checkpoint(base)) if base else None
        found += of_whole_file(file, checkpoint)
        for key, progress in counted_off(file.layers):
            text = problem_of(key, file.tensors(key), file, checkpoint)
            found += [Finding(key, text)] if text else []
            yield progress
    return found


def of_whole_file(file: AdapterFile, base: Checkpoint | None) -> list[Finding]:
    texts = [f"The name {name} stands for a tensor that another name stands for too." for name in file.twice]
    said = file.header.get("sshs_model_hash")
    if said and said != tensor_hash(file.path):
        texts.append("The hash in the header is not that of the tensors: the file was changed after it was saved.")
    try:
        family = file.family
        if base is not None and family is not base.family:
            texts.append(f"The file is for {family.title}, but {base.path.name} is {base.family.title}.")
    except FileProblem as error:
        texts.append(str(error))
    return [Finding("", text) for text in texts]


def tensor_hash(path: Path) -> str:
    """sha256 of everything after the header of a safetensors file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        while held := file.read(2**22):
            digest.update(held)
    return digest.hexdigest()


def problem_of(key: str, tensors: Tensors, file: AdapterFile, base: Checkpoint | None) -> str:
    """A sentence; "" where all is well."""
    if broken := [name for name, t in tensors.items() if not t.isfinite().all()]:
        return f"{', '.join(broken)} holds numbers that are not finite (NaN)."
    if lora.method_of_tensors(tensors) is None:
        return f"It is of no known kind: it holds {', '.join(sorted(tensors))}."
    if huge := [name for name, t in tensors.items() if t.numel() and t.abs().max() > MOST]:
        return f"{', '.join(huge)} holds numbers beyond {MOST:g}."
    try:
        return misfit(key, tensors, file, base)
    except FileProblem as error:
        return str(error)


def misfit(key: str, tensors: Tensors, file: AdapterFile, base: Checkpoint | None) -> str:
    """Raises FileProblem for tensors that do not fit together, or the checkpoint's."""
    if base is not None and not base.has(key):
        return f"{base.path.name} has no such layer."
    if base is not None:
        delta = delta_of(key, tensors, base.family, base.parameter(key).float())
        if delta.bias is not None and not base.has(key, "bias"):
            return "It changes a bias that the layer has not."
        return overflow(delta.weight, delta.bias)
    if key in file.multiplying():
        return ""
    delta = delta_of(key, tensors, file.family)
    return overflow(delta.weight, delta.bias)


def overflow(weight: Tensor, bias: Tensor | None) -> str:
    finite = weight.isfinite().all() and (bias is None or bias.isfinite().all())
    return "" if finite else "What it adds overflows."

