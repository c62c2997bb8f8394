"""What the WebUI's own loaders read from a file, to compare with what was trained."""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from modules import sd_models
from modules.hypernetworks import hypernetwork
from modules.textual_inversion import textual_inversion
from torch import Tensor

from ...export.lora import BUNDLED
from ...families.family import SINGLE_VECTORS
from ...host import HostError
from ...methods.adapter import Delta, lazy_deltas
from ...methods.hypernetwork import PAIR
from ...models.view import View
from ...support.lazy import LazyTensors


def lora_extension() -> Any:
    """The built-in Lora extension's module. Raises HostError when it is switched off."""
    if "networks" not in sys.modules:
        raise HostError("The WebUI's built-in Lora extension is switched off. Enable it in the Extensions tab; "
                        "without it no LoRA can be used.")
    return sys.modules["networks"]


def read_embedding(path: Path, view: View | None) -> dict[str, Tensor]:
    """The vectors that the WebUI's embedding database reads."""
    database = textual_inversion.EmbeddingDatabase()
    database.expected_shape = database.get_expected_shape()
    try:
        database.load_from_file(str(path), path.name)
    except (AssertionError, KeyError, RuntimeError, ValueError, OSError, TypeError) as error:
        raise HostError(f"The WebUI cannot load {path.name}: {error}") from error
    if path.stem not in database.word_embeddings:
        raise HostError(f"The WebUI does not accept {path.name} as an embedding for this checkpoint.")
    read = database.word_embeddings[path.stem].vec
    return {encoder: vectors.float().cpu()
            for encoder, vectors in (read if isinstance(read, dict) else {SINGLE_VECTORS: read}).items()}


def read_deltas(path: Path, view: View | None) -> LazyTensors:
    """The weight changes that the Lora extension's own loader reads."""
    import network

    networks = lora_extension()
    try:
        net = networks.load_network(path.stem, network.NetworkOnDisk(path.stem, str(path)))
    except (AssertionError, KeyError, RuntimeError, ValueError, OSError) as error:
        raise HostError(f"The WebUI cannot load {path.name}: {error}") from error
    in_file = {key.partition(".")[0] for key in sd_models.read_state_dict(str(path)) if not key.startswith(BUNDLED)}
    modules = {module.network_key.partition(".")[0]: module for module in net.modules.values()}
    if unmatched := sorted(in_file - modules.keys()):
        raise HostError(f"The WebUI finds no layer for {len(unmatched)} keys of {path.name}, such as {unmatched[0]}.")
    return lazy_deltas({key: partial(module_delta, module) for key, module in modules.items()})


@torch.no_grad()
def module_delta(module: Any) -> Delta:
    """What one of the Lora extension's modules adds to its layer, computed in full precision even in a half-precision
    WebUI.
    """
    for factor in FACTORS:  # the extension creates them in the WebUI's precision
        if (layer := getattr(module, factor, None)) is not None:
            layer.float()
    updown, bias = module.calc_updown(weight_of(module).float())
    return Delta(updown.float(), None if bias is None or is_fused(module) else bias.float())


def weight_of(module: Any) -> Tensor:
    """The weight that a module of the Lora extension changes; those of OpenCLIP's attention are parts of one."""
    layer = module.sd_module
    if not isinstance(layer, torch.nn.MultiheadAttention):
        return layer.weight
    return layer.in_proj_weight.chunk(3)[FUSED.index(ending(module))] if is_fused(module) else layer.out_proj.weight


def is_fused(module: Any) -> bool:
    return isinstance(module.sd_module, torch.nn.MultiheadAttention) and ending(module) in FUSED


def ending(module: Any) -> str:
    return module.network_key.partition(".")[0][-len(FUSED[0]):]


def read_networks(path: Path, view: View | None) -> dict[str, Tensor]:
    """The tensors that the WebUI reads from a hypernetwork's file."""
    made = hypernetwork.Hypernetwork()
    try:
        made.load(str(path))
    except (AssertionError, AttributeError, KeyError, RuntimeError, ValueError, OSError, TypeError) as error:
        raise HostError(f"The WebUI cannot load {path.name}: {error}") from error
    return {f"{size}.{which}.{name}": tensor.float().cpu() for size, pair in made.layers.items()
            for which, network in zip(PAIR, pair) for name, tensor in network.state_dict().items()}


def read_weights(path: Path, view: View | None) -> LazyTensors:
    """What the WebUI reads from a checkpoint for each weight that is trained now."""
    state = sd_models.read_state_dict(str(path))
    return LazyTensors(
        {w.name: state[w.name].float
         for w in (view.weights() if view else ())
         if w.parameter.requires_grad})


FUSED = ("q_proj", "k_proj", "v_proj")  # in the order of the fused weight
FACTORS = ("up_model", "mid_model", "down_model")
LOADERS = {"lora": read_deltas, "embedding": read_embedding, "hypernetwork": read_networks, "checkpoint": read_weights}
