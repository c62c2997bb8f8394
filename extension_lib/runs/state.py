"""The state of a run on disk: nested tensors and numbers in one safetensors file, without pickle."""

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..errors import DarkroomError
from ..export.stream import header_bytes, make_entry, tensor_bytes
from ..support.disk import replacing


class StateError(DarkroomError, ValueError):
    """A saved state that cannot be read; the message names the file."""


def write_state(path: Path, tree: dict[str, Any]) -> None:
    """Saves a tree of dicts whose leaves are tensors, numbers or text; keys are texts or whole numbers."""
    tensors: dict[str, Tensor] = {}
    skeleton = split_tensors(tree, "", tensors)
    entries = [make_entry(name, list(tensor.shape), tensor.dtype) for name, tensor in tensors.items()]
    with replacing(path) as part, open(part, "wb") as file:
        file.write(header_bytes(entries, {"tree": json.dumps(skeleton)}))
        for tensor in tensors.values():
            file.write(tensor_bytes(tensor))
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


def read_state(path: Path) -> dict[str, Any]:
    """Raises StateError. The tensors are copies: Windows cannot replace a file that is mapped into memory."""
    try:
        with safe_open(path, "pt") as file:
            skeleton = json.loads(file.metadata()["tree"])
            return join_tensors(skeleton, lambda name: file.get_tensor(name).clone())
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise StateError(f"The saved state {path} cannot be read ({error}). Start over, or restore a copy of "
                         "it.") from None


def join_tensors(node: Any, tensor: Any) -> Any:
    if "pairs" in node:
        return {key: join_tensors(value, tensor) for key, value in node["pairs"]}
    return tensor(node["tensor"]) if "tensor" in node else node["value"]
