"""What Forge's own loaders read from a file, to compare with what was trained; Forge's model is not needed."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from backend.patcher import lora as patcher
from torch import Tensor

from ...export import checkpoint as checkpoints
from ...export.lora import BUNDLED
from ...export.tensor_file import read_tensors
from ...families.family import SINGLE_VECTORS
from ...host import Checkpoint, HostError
from ...methods.adapter import Delta, FormatError, lazy_deltas
from ...model import Layer
from ...models.diffusers_view import DiffusersView
from .differences import key_map, title
from .names import layers_by_name, require_recognized, stand_ins

WEIGHT, BIAS = ".weight", ".bias"
EXACT = torch.float64  # so that a small difference of large weights is exact


def read_embedding(path: Path, view: DiffusersView, base: Checkpoint) -> dict[str, Tensor]:
    """The vectors that Forge's embedding database reads."""
    from backend.text_processing.textual_inversion import EmbeddingDatabase

    tensors_of(path)  # Forge renames a file that it cannot read
    widths = [table.shape[1] for table in view.vocabularies().values()]
    database = EmbeddingDatabase(view.text_encoders[0].tokenizer, sum(widths))
    try:
        database.load_from_file(str(path), path.name)
    except (AssertionError, KeyError, RuntimeError, ValueError, OSError, TypeError) as error:
        raise HostError(f"{title()} cannot load {path.name}: {error}") from error
    if path.stem not in database.word_embeddings:
        raise HostError(f"{title()} does not accept {path.name} as an embedding for this checkpoint.")
    read = database.word_embeddings[path.stem].vec
    return {encoder: vectors.float().cpu()
            for encoder, vectors in (read if isinstance(read, dict) else {SINGLE_VECTORS: read}).items()}


def read_deltas(path: Path, view: DiffusersView, base: Checkpoint) -> Mapping[str, Tensor]:
    """The weight changes that Forge's LoRA loader and patcher make of a file."""
    layers = layers_by_name(view)
    patches, left = patches_of(tensors_of(path), layers, base.path)
    if left:
        raise HostError(f"{title()} leaves out {len(left)} keys of {path.name}, such as {left[0]}.")
    changed = {layers[name.rpartition(".")[0]].key: layers[name.rpartition(".")[0]] for name in patches}
    names = {layer.key: name for name, layer in layers.items()}
    return lazy_deltas({key: partial(layer_delta, patches, names[key], layer) for key, layer in changed.items()})


def unread(tensors: Mapping[str, Tensor], view: DiffusersView, base: Checkpoint) -> list[str]:
    """Of a LoRA file's tensors, those that Forge leaves out."""
    return patches_of(tensors, layers_by_name(view), base.path)[1]


def patches_of(tensors: Mapping[str, Tensor], layers: dict[str, Layer], base: Path) -> tuple[dict[str, Any], list[str]]:
    """What is added, by the names of weights, and the keys that are left out. Raises HostError."""
    unet, text = stand_ins(layers, base)
    rest: dict[str, Tensor] = dict(tensors)
    found: dict[str, Any] = {}
    for make, model in ((patcher.model_lora_keys_unet, unet), (patcher.model_lora_keys_clip, text)):
        patches, rest = patcher.load_lora(rest, key_map(make, model))
        found |= patches
    return found, sorted(key for key in rest if not key.startswith(BUNDLED))


def layer_delta(patches: Mapping[str, Any], name: str, layer: Layer) -> Delta:
    bias = patches.get(name + BIAS)
    weight = patches.get(name + WEIGHT)
    return Delta(torch.zeros(layer.shape) if weight is None else added(weight, layer.module.weight, name),
                 None if bias is None else added(bias, layer.module.bias, name))


@torch.no_grad()
def added(patch: Any, parameter: Tensor, name: str) -> Tensor:
    """What a patch at strength 1 adds to a parameter, fp32."""
    before = parameter.detach().to("cpu", EXACT)
    try:
        after = patcher.merge_lora_to_weight([(1.0, patch, 1.0, None, None)], before, name, computation_dtype=EXACT)
    except (AssertionError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise HostError(f"{title()} cannot apply what was learned for {name}: {error}") from error
    return (after - before).float()


def read_weights(path: Path, view: DiffusersView, base: Checkpoint) -> Mapping[str, Tensor]:
    """The file's values of each weight that is trained now, if Forge recognises the file."""
    require_recognized(path)
    return checkpoints.read_checkpoint(path, [w.name for w in view.weights() if w.parameter.requires_grad])


def tensors_of(path: Path) -> dict[str, Tensor]:
    try:
        return read_tensors(path, "file")
    except FormatError as error:
        raise HostError(str(error)) from None


def unread_alone(tensors: Mapping[str, Tensor]) -> list[str]:
    """Of one layer's tensors, by their names behind its key, those that Forge's LoRA loader does not know."""
    _, rest = patcher.load_lora({f"x.{name}": tensor for name, tensor in tensors.items()}, {"x": "x.weight"})
    return sorted(rest)



LOADERS = {"lora": read_deltas, "embedding": read_embedding, "checkpoint": read_weights}
