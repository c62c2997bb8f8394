"""Files loaded while something is drawn: adapters merged into weights, hypernetworks attached before attention."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from ...compare.tags import Tag
from ...export import hypernetwork, lora
from ...export.lora_names import unnumbered
from ...host import HostError
from ...methods.adapter import Delta, FormatError, lazy_deltas
from ...methods.hypernetwork import PAIR, attention_layers
from ...methods.layer import attach_before
from ...model import Layer
from ...support.lazy import LazyTensors

log = logging.getLogger("darkroom")


def read_deltas(path: Path, layers: list[Layer]) -> LazyTensors:
    """By key, what the file adds to each layer's weight and bias.

    Raises HostError: unreadable file, key without layer.
    """
    matched, unmatched = match_layers(path, layers)
    if unmatched:
        raise HostError(f"{path.name} holds {len(unmatched)} keys that this model has no layer for, such as "
                        f"{unmatched[0]}.")
    return lazy_deltas({layer.key: partial(layer_delta, path, layer, tensors) for layer, tensors in matched})


def match_layers(path: Path, layers: list[Layer]) -> tuple[list[tuple[Layer, dict[str, Tensor]]], list[str]]:
    """The file's layers beside the model's, and its keys without one. Raises HostError."""
    by_key = {key: layer for layer in layers for key in (layer.other_key, unnumbered(layer.key))}
    try:
        found = lora.read_adapter(path)
    except FormatError as error:
        raise HostError(str(error)) from None
    ours = {key: by_key.get(key) for key in found}
    matched = [(layer, found[key]) for key, layer in ours.items() if layer is not None]
    unmatched = [key for key, layer in ours.items() if layer is None]
    if unmatched and not matched:
        raise HostError(f"{path.name} was made for another kind of model, or is no LoRA: this model has no layer "
                        f"{unmatched[0]}.")
    return matched, unmatched


def match_for_drawing(path: Path, layers: list[Layer]) -> list[tuple[Layer, dict[str, Tensor]]]:
    """The same; keys without a layer are left out with a warning, as in the WebUI."""
    matched, unmatched = match_layers(path, layers)
    if unmatched:
        log.warning("%s: %d of its %d keys have no layer in this model and are left out, such as %s.", path.name,
                    len(unmatched), len(matched) + len(unmatched), unmatched[0])
    return matched


@torch.no_grad()
def layer_delta(path: Path, layer: Layer, tensors: dict[str, Tensor]) -> Delta:
    weight, bias = layer.module.weight.detach().float(), layer.module.bias
    try:
        delta = lora.adapter_delta(layer.key, {name: t.to(weight.device) for name, t in tensors.items()}, weight)
    except FormatError as error:
        raise HostError(f"{path.name} cannot be used: {error}") from None
    if delta.bias is not None and (bias is None or delta.bias.shape != bias.shape):
        raise HostError(f"{path.name} cannot be used: {layer.key} has a bias that its layer has not.")
    return delta


@contextmanager
def merged_into_weights(layers: list[Layer], files: list[tuple[Path, Tag]]) -> Iterator[None]:
    """Within, the files' deltas are part of the weights; afterwards the weights are bit for bit what they were."""
    kept: dict[Tensor, Tensor] = {}  # parameter -> its value before

    def add(parameter: Tensor, delta: Tensor | None, factor: float) -> None:
        if delta is not None:
            kept.setdefault(parameter, parameter.detach().clone())
            parameter.add_(delta.to(parameter.dtype), alpha=factor)

    try:
        with torch.no_grad():
            for path, tag in files:
                for layer, tensors in match_for_drawing(path, layers):
                    factor = tag.unet if layer.part == "unet" else tag.te
                    # a file's delta is computed from the weights that the files before it left, as in the WebUI
                    if factor:
                        delta = layer_delta(path, layer, tensors)
                        add(layer.module.weight, delta.weight, factor)
                        add(layer.module.bias, delta.bias, factor)
        yield
    finally:
        with torch.no_grad():
            for parameter, value in kept.items():
                parameter.copy_(value)


@contextmanager
def attached_before_attention(layers: list[Layer], files: list[tuple[hypernetwork.HypernetworkFile,
                                                                     Tag]]) -> Iterator[None]:
    """Within, each file's networks change what keys and values see, one file after the other.

    Raises HostError for a network that does not fit.
    """
    with ExitStack() as undo:
        for read, tag in reversed(files):  # the last one attached is the first to see the input
            networks = {}
            for size, pair in read.networks.items():
                for which, state in zip(PAIR, pair):
                    networks[size, which] = build_network(read, size, state)
            for layer, which, size in attention_layers(layers):
                if (size, which) in networks:
                    undo.callback(attach_before(layer.module, partial(change, networks[size, which], tag.te)))
        yield


def change(network: nn.Module, strength: float, x: Tensor) -> Tensor:
    changed: Tensor = network.to(x.device)(x, strength=strength)
    return changed


def build_network(read: hypernetwork.HypernetworkFile, size: int, state: dict[str, Tensor]) -> nn.Module:
    try:
        network = read.form.module(size).eval()
        network.load_state_dict(state)
    except (RuntimeError, ValueError, IndexError, OverflowError) as error:
        raise HostError(f"The hypernetwork's tensors do not fit the structure it names: {error}") from None
    return network.requires_grad_(False)
