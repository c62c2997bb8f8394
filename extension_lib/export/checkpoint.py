"""Checkpoint files: the base's own file, streamed, with only what was trained replaced."""

import json
import os
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import torch
from safetensors import safe_open
from torch import Tensor

from ..host import PRESET_SUFFIX
from ..methods.adapter import FormatError
from ..support import disk
from . import metadata
from .lora import DTYPES
from .provenance import Provenance
from .stream import TensorEntry, header_bytes, make_entry, tensor_bytes
from .tensor_part import put_parts, take_part, whole_name, whole_shape

STALE = "model_ema."  # an average of the base's training, which does not fit the new weights
CHUNK = 2**22


def write_checkpoint(path: Path, trained: Mapping[str, Tensor], about: Provenance) -> None:
    """trained: tensors by the base's own names. Raises SaveError; FormatError for a base that cannot be streamed."""
    source = about.checkpoint
    require_streamable(path, source)
    with open(source, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        held = json.loads(file.read(length))
        start = 8 + length
        own, dtype = match_tensors(trained, held, source.name), DTYPES[about.run.saving.precision]
        entries = plan_file(held, own, dtype)
        header = {**held.get("__metadata__", {}), **metadata.modelspec(about), "modelspec.title": path.stem}
        header.pop("modelspec.hash_sha256", None)
        with disk.replacing(path) as part, open(part, "wb") as out:
            out.write(header_bytes(entries, header))
            for one in entries:
                if one.name in own:
                    out.write(tensor_bytes(whole_tensor(source, one.name, own[one.name]).to(dtype)))
                else:
                    file.seek(start + held[one.name]["data_offsets"][0])
                    copy_bytes(file, out, one.size)
            out.flush()
            os.fsync(out.fileno())  # completely written before it replaces an older file
    copy_config_files(source, path)


def require_streamable(path: Path, source: Path) -> None:
    """Raises FormatError where a checkpoint could not be written; to be asked before it is trained for hours."""
    if source.suffix.lower() != ".safetensors":
        raise FormatError(
            f"{source.name} is not a .safetensors file. Convert it first; DreamBooth saves by copying it.")
    if path.resolve() == source.resolve():
        raise FormatError(f"{path.name} is the checkpoint that is trained on. Give the output another name.")


Parts = list[tuple[str, Tensor]]  # of one tensor, by names as tensor_part has them; a single one may be all of it


def match_tensors(trained: Mapping[str, Tensor], held: dict, file: str) -> dict[str, Parts]:
    """What was trained, by the names that this file uses; old files leave text_model out."""
    out: dict[str, Parts] = {}
    for name, tensor in trained.items():
        whole = whole_name(name)
        found = next((n for n in (whole, whole.replace(".text_model.", ".")) if n in held), None)
        if found is None or held[found]["shape"] != list(whole_shape(name, tuple(tensor.shape))):
            raise FormatError(f"{file} has no place for {name} of {tuple(tensor.shape)}.")
        out.setdefault(found, []).append((name, tensor))
    return out


def whole_tensor(source: Path, name: str, parts: Parts) -> Tensor:
    """The trained tensor; where parts of it were trained, the others are the base's."""
    first, tensor = parts[0]
    if whole_name(first) == first:
        return tensor
    with safe_open(source, "pt") as file:
        return put_parts(file.get_tensor(name).float(), [(part, t.float().cpu()) for part, t in parts])


def plan_file(held: dict, own: dict[str, Parts], dtype: torch.dtype) -> list[TensorEntry]:
    entries = []
    for name, said in held.items():
        if name == "__metadata__" or name.startswith(STALE):
            continue
        first, last = said["data_offsets"]
        kept = TensorEntry(name, said["dtype"], said["shape"], last - first)
        entries.append(make_entry(name, said["shape"], dtype) if name in own else kept)
    return entries


def copy_bytes(file: BinaryIO, out: BinaryIO, size: int) -> None:
    while size:
        part = file.read(min(CHUNK, size))
        out.write(part)
        size -= len(part)


def config_files(path: Path) -> list[Path]:
    """What may lie beside a checkpoint: the WebUI's .yaml, our preset, diffusers' settings."""
    return [path.with_suffix(".yaml"), path.with_name(path.stem + PRESET_SUFFIX), path.with_suffix("")]


def copy_config_files(source: Path, path: Path) -> None:
    """Copies the files that belong to the base: the WebUI's .yaml, diffusers' settings, our preset."""
    yaml = source.with_suffix(".yaml")
    if yaml.exists() and "{tokenizer}" not in yaml.read_text(encoding="utf-8"):
        disk.copy_file(yaml, path.with_suffix(".yaml"))
    preset = source.with_name(source.stem + PRESET_SUFFIX)
    if preset.exists():
        disk.copy_file(preset, path.with_name(path.stem + PRESET_SUFFIX))
    folder = source.with_suffix("")
    if (folder / "model_index.json").exists():  # another folder of that name is not a diffusers model
        shutil.copytree(folder, path.with_suffix(""), dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("*.safetensors", "*.bin"))


def read_checkpoint(path: Path, names: list[str]) -> dict[str, Tensor]:
    """Some of a file's tensors, fp32."""
    with safe_open(path, "pt") as file:
        held = set(file.keys())
        return {
            name: take_part(name, file.get_tensor(
                whole if (whole := whole_name(name)) in held else whole.replace(".text_model.", "."))).float()
            for name in names
        }
