"""Hypernetwork files: the WebUI's .pt, with every field it reads."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..methods.adapter import FormatError
from ..methods.hypernetwork import ACTIVATIONS, PAIR, QUIET, NetworkStructure
from ..support.disk import write_bytes
from .provenance import Provenance
from .tensor_file import read_pickle


def write_hypernetwork(path: Path, trained: Any, about: Provenance) -> None:
    """trained: methods.hypernetwork.Networks. In torch's legacy layout: the WebUI's safe reader rejects newer archives.

    Raises SaveError.
    """
    form: NetworkStructure = trained.form
    by_size: dict[Any, Any] = {}
    tensors = {name: t.to("cpu", torch.float32).clone() for name, t in trained.file_tensors().items()}
    for size in sorted({int(name.split(".")[0]) for name in tensors}):
        by_size[size] = tuple({name.removeprefix(f"{size}.{which}."): t for name, t in tensors.items()
                               if name.startswith(f"{size}.{which}.")} for which in PAIR)
    fields = {
        "step": about.step,
        "name": path.stem,
        "layer_structure": list(form.structure),
        "activation_func": form.activation,
        "is_layer_norm": form.layer_norm,
        "activate_output": form.activate_output,
        "use_dropout": any(form.dropout),
        "weight_initialization": "KaimingUniform" if trained.initial == QUIET else trained.initial,
        "sd_checkpoint": about.checkpoint_hash[:10] or None,
        "sd_checkpoint_name": about.checkpoint.stem,
        "dropout_structure": list(form.dropout),
        "last_layer_dropout": form.dropout[-2] != 0,
        "optional_info": None,
    }
    data = io.BytesIO()
    torch.save({**by_size, **fields}, data, _use_new_zipfile_serialization=False)
    write_bytes(path, data.getvalue())


@dataclass(frozen=True)
class HypernetworkFile:
    """A file's networks by width: state dicts for keys and for values."""

    form: NetworkStructure
    networks: dict[int, tuple[dict[str, Tensor], dict[str, Tensor]]]

    def tensors(self) -> dict[str, Tensor]:
        """By the names that methods.hypernetwork uses."""
        return {f"{size}.{which}.{name}": t.float() for size, pair in self.networks.items()
                for which, state in zip(PAIR, pair) for name, t in state.items()}


def read_hypernetwork(path: Path) -> HypernetworkFile:
    """Reads without unpickling anything but tensors and plain values. Raises FormatError."""
    content = read_pickle(path, "hypernetwork")
    if not isinstance(content, Mapping):
        raise FormatError(f"{path.name} is not a readable hypernetwork: it holds no networks.")
    try:
        structure = tuple(map(float, content.get("layer_structure", (1, 2, 1))))
        form = NetworkStructure(structure, str(content.get("activation_func") or "linear"),
                                bool(content.get("is_layer_norm")), bool(content.get("activate_output", True)),
                                tuple(map(float, content.get("dropout_structure") or (0,) * len(structure))))
    except (ValueError, TypeError) as error:
        raise FormatError(f"{path.name} is not a readable hypernetwork: {error}.") from None
    networks = {size: pair for size, pair in content.items() if isinstance(size, int) and is_pair(pair)}
    if not networks or form.activation not in ACTIVATIONS or len(form.dropout) < len(structure):
        raise FormatError(f"{path.name} is not a hypernetwork that is known here (activation {form.activation}, "
                          f"{len(networks)} sizes).")
    return HypernetworkFile(form, networks)


def is_pair(pair: Any) -> bool:
    """Tensors by name for keys, and for values."""
    return isinstance(pair, (tuple, list)) and len(pair) == len(PAIR) and all(
        isinstance(state, Mapping) and all(isinstance(t, Tensor) for t in state.values()) for state in pair)
