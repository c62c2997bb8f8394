"""The state of a run on disk: nested tensors and numbers in one safetensors file, without pickle."""

import json
import os
import zlib
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import DarkroomError
from ..export.stream import header_bytes, make_entry, tensor_bytes
from ..support.disk import replacing
from ..workspaces.workspace import Workspace

REMEDY = "Delete it to continue from an older one, restore a copy of it, or start over."
NO_CHECKSUM = "00000000"  # as long as every checksum, so that it can be filled in when the numbers are written


class StateError(DarkroomError, ValueError):
    """A saved state that cannot be read; the message names the file."""


def write_state(path: Path, tree: dict[str, Any]) -> None:
    """Saves a tree of dicts whose leaves are tensors, numbers or text; keys are texts or whole numbers.

    The header has a checksum (CRC-32) of all numbers. Raises SaveError.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = split_tensors(tree, "", tensors)
    entries = [make_entry(name, list(tensor.shape), tensor.dtype) for name, tensor in tensors.items()]
    header, checksum = {"tree": json.dumps(skeleton), "checksum": NO_CHECKSUM}, 0
    with replacing(path) as part, open(part, "wb") as file:
        file.write(header_bytes(entries, header))
        for tensor in tensors.values():
            held = tensor_bytes(tensor)
            checksum = zlib.crc32(held, checksum)
            file.write(held)
        file.seek(0)
        file.write(header_bytes(entries, {**header, "checksum": f"{checksum:08x}"}))
        file.flush()
        os.fsync(file.fileno())


def split_tensors(node: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """The tree with its tensors replaced by references; dicts become lists of pairs, so that number keys survive."""
    if isinstance(node, dict):
        return {"pairs": [[key, split_tensors(value, f"{path}/{key}", tensors)] for key, value in node.items()]}
    if isinstance(node, Tensor):
        tensors[path] = node
        return {"tensor": path}
    return {"value": node}


def read_newest(workspace: Workspace) -> dict[str, Any] | None:
    """The workspace's newest state; None where nothing was saved. Raises StateError."""
    newest = workspace.newest_state()
    damaged = next((path for path in (workspace.kept, workspace.state) if path.exists()), None)
    path = newest.path if newest else damaged
    return read_state(path) if path else None


def read_state(path: Path) -> dict[str, Any]:
    """Raises StateError, also where a number is not what was written.

    The tensors are copies: Windows cannot replace a file that is mapped into memory.
    """
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata()
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
        names: list[str] = []
        tree, checksum = join_tensors(json.loads(header["tree"]), tensors, names), 0
        for name in names:
            checksum = zlib.crc32(tensor_bytes(tensors[name]), checksum)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise StateError(f"The saved state {path} cannot be read ({error}). {REMEDY}") from None
    if header.get("checksum", f"{checksum:08x}") != f"{checksum:08x}":  # older states have none
        raise StateError(f"The saved state {path} was altered after it was written. {REMEDY}")
    return tree


def join_tensors(node: Any, tensors: dict[str, Tensor], names: list[str]) -> Any:
    """The tree that split_tensors() took apart; adds the tensors' names to names, in the order of the file."""
    if "pairs" in node:
        return {key: join_tensors(value, tensors, names) for key, value in node["pairs"]}
    if "tensor" not in node:
        return node["value"]
    names.append(node["tensor"])
    return tensors[node["tensor"]]
