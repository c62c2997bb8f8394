"""Merging files into a checkpoint: its own file, copied tensor by tensor, with what the files add in its weights."""

import json
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..export.checkpoint import STALE, copy_bytes, copy_config_files
from ..export.lora import BIAS_DIFFERENCE, DTYPES
from ..export.stream import TensorEntry, header_bytes, make_entry, tensor_bytes
from ..export.tensor_part import put_parts, take_part, whole_name
from ..support.disk import replacing
from . import combine
from .arithmetic import delta_of
from .base import Checkpoint, opened_checkpoint
from .blocks import parse_blocks
from .combine import OpenPart, Part
from .made import HASHES, MADE, without
from .new_file import require_free
from .progress import Tool, counted_off
from .source import FileProblem, opened

FLOATS = ("F64", "F32", "F16", "BF16")
OF_MODEL = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.", "conditioner.")  # not a schedule's


@dataclass(frozen=True)
class Merge:
    """What is told. precision: of the new checkpoint's weights; "": each as it is."""

    base: Path
    parts: Sequence[Part]
    out: Path
    precision: str = ""
    overwrite: bool = False


@dataclass(frozen=True)
class Merged:
    path: Path
    layers: int  # into which something was merged
    unmatched: tuple[str, ...]  # layers of files that the checkpoint has not


@dataclass(frozen=True)
class Touched:
    """A parameter of a layer in one of the checkpoint's tensors."""

    key: str
    leaf: str
    name: str  # a part of a tensor ends as export/tensor_part.py says


def merge(given: Merge) -> Tool[Merged]:
    """Writes the checkpoint. Raises FileProblem, SaveError."""
    require_free(given.out, given.overwrite, given.base, *(part.path for part in given.parts))
    if given.out.suffix.lower() != ".safetensors":
        raise FileProblem(f"A checkpoint is saved as safetensors. Call it {given.out.stem}.safetensors.")
    if not given.parts:
        raise FileProblem("No files are given. Name at least one.")
    with ExitStack() as stack:
        base = stack.enter_context(opened_checkpoint(given.base))
        files = [stack.enter_context(opened(part.path)) for part in given.parts]
        family = combine.common_family(files, base)
        parts = [OpenPart(file, part.weight, dict(parse_blocks(part.blocks, family)))
                 for file, part in zip(files, given.parts)]
        touched = touched_tensors(base, parts)
        yield from write_merged(given, base, parts, touched)
        copy_config_files(given.base, given.out)
        layers = list(dict.fromkeys(key for file in files for key in file.layers))
        return Merged(given.out, sum(base.has(key) for key in layers),
                      tuple(key for key in layers if not base.has(key)))


def touched_tensors(base: Checkpoint, parts: Sequence[OpenPart]) -> dict[str, list[Touched]]:
    """By the checkpoint's tensors, the parameters in them that are changed. Raises FileProblem where none is."""
    touched: dict[str, list[Touched]] = {}
    for (key, leaf), name in base.places.items():
        if any(changes(part, key, leaf, base) for part in parts):
            touched.setdefault(whole_name(name), []).append(Touched(key, leaf, name))
    if not touched:
        raise FileProblem(f"{base.path.name} has none of the layers that these files change.")
    return touched


def changes(part: OpenPart, key: str, leaf: str, base: Checkpoint) -> bool:
    held = part.file.names.get(key, {})
    return bool(held) and part.factor(key, base.family) != 0 and (
        leaf == "weight" or bool({BIAS_DIFFERENCE, "b_norm"} & set(held)))


def write_merged(given: Merge, base: Checkpoint, parts: Sequence[OpenPart],
                 touched: dict[str, list[Touched]]) -> Tool[None]:
    with open(given.base, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        held = json.loads(file.read(length))
        start, dtype = 8 + length, DTYPES.get(given.precision)
        entries = list(planned(held, dtype))
        with replacing(given.out) as part, open(part, "wb") as out:
            out.write(header_bytes(entries, merged_header(held.get("__metadata__", {}), given)))
            for entry, progress in counted_off(entries):
                if entry.name in touched:
                    whole = merged_tensor(base, entry.name, parts, touched[entry.name])
                    out.write(tensor_bytes(whole.to(dtype or base.file.get_tensor(entry.name).dtype)))
                elif entry.dtype == held[entry.name]["dtype"]:
                    file.seek(start + held[entry.name]["data_offsets"][0])
                    copy_bytes(file, out, entry.size)
                else:
                    out.write(tensor_bytes(base.file.get_tensor(entry.name).to(dtype)))
                yield progress
            out.flush()
            os.fsync(out.fileno())


def planned(held: dict, dtype: torch.dtype | None) -> Iterator[TensorEntry]:
    """The new file's tensors. Averaged weights are left out: they are of another model."""
    for name, said in held.items():
        if name == "__metadata__" or name.startswith(STALE):
            continue
        first, last = said["data_offsets"]
        if dtype is not None and said["dtype"] in FLOATS and name.startswith(OF_MODEL):
            yield make_entry(name, said["shape"], dtype)
        else:
            yield TensorEntry(name, said["dtype"], said["shape"], last - first)


def merged_header(said: dict[str, str], given: Merge) -> dict[str, str]:
    how = {"tool": "merge", "base": given.base.name, "files": [part.path.name for part in given.parts],
           "weights": [part.weight for part in given.parts], "blocks": [part.blocks for part in given.parts]}
    return {**without(said, HASHES), "modelspec.title": given.out.stem,
            "modelspec.merged_from": ", ".join([given.base.stem, *(part.path.stem for part in given.parts)]),
            MADE: json.dumps(how, ensure_ascii=False)}


def merged_tensor(base: Checkpoint, name: str, parts: Sequence[OpenPart], touched: list[Touched]) -> Tensor:
    """fp32, with what the files add, one after the other, as the WebUI adds it up."""
    whole: Tensor = base.file.get_tensor(name).to(torch.float32, copy=True)
    changed = [(place.name, merged_parameter(base, take_part(place.name, whole), place, parts)) for place in touched]
    if len(changed) == 1 and whole_name(changed[0][0]) == changed[0][0]:
        return changed[0][1]
    return put_parts(whole, changed)


def merged_parameter(base: Checkpoint, value: Tensor, place: Touched, parts: Sequence[OpenPart]) -> Tensor:
    """The value, changed in place: with what else is computed, a second copy would be too much memory."""
    for part in parts:
        if not changes(part, place.key, place.leaf, base):
            continue
        tensors, factor = part.file.tensors(place.key), part.factor(place.key, base.family)
        if place.leaf == "weight":
            change: Tensor | None = delta_of(place.key, tensors, base.family, value).weight
        else:
            change = tensors.get(BIAS_DIFFERENCE, tensors.get("b_norm"))
        if change is not None and change.numel() != value.numel():
            raise FileProblem(f"{place.key} has a {place.leaf} of {tuple(change.shape)}, but the checkpoint's is "
                              f"{tuple(value.shape)}.")
        if change is not None:
            value.add_(change.float().reshape(value.shape), alpha=factor)
    return value
