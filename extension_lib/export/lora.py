"""Adapter files as kohya's scripts, LyCORIS and the WebUIs read them: a layer's key, a dot, the name of a tensor."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from .. import methods
from ..methods.adapter import AdapterSettings, Delta, FormatError
from ..methods.base import Trainable
from ..support.disk import write_bytes
from . import metadata
from .embedding import WordVectors, word_vectors
from .header import loads_as, read_header
from .lora_names import PEFT, SECOND_TEXT, TEXT, split_name
from .provenance import Provenance
from .tensor_file import read_tensors

SUFFIXES = (".safetensors", ".pt", ".ckpt", ".bin")  # the first that exists is read
BUNDLED = "bundle_emb"
# DoRA's norms rounded to half precision would shift the whole weight by as much as was learned
EXACT = (".alpha", ".dora_scale")
BIAS_DIFFERENCE = "diff_b"  # beside a difference of the weight; ComfyUI writes it beside a LoRA too
MAGNITUDE = "lora_magnitude_vector"  # PEFT's norms of DoRA, one for each output
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


def write_adapter(path: Path, trainable: Trainable, about: Provenance) -> None:
    """Writes the file whole or not at all. Raises SaveError."""
    tensors = tensors_in_precision(trainable.file_tensors(), DTYPES[about.run.saving.precision])
    about = replace(about, run=replace(about.run, output=replace(about.run.output, name=path.stem)))
    header = metadata.adapter_metadata(about)
    write_bytes(path, save(tensors, metadata.with_hashes(tensors, header)))


def tensors_in_precision(state: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Matrices in the file's number format, each alpha a single fp32 number, whole numbers as they are."""
    return {key: tensor_in_precision(key, tensor.detach().cpu(), dtype).contiguous() for key, tensor in state.items()}


def tensor_in_precision(key: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    return tensor.to(torch.float32 if key.endswith(EXACT) or key.startswith(BUNDLED) else dtype)


def read_adapter(path: Path) -> dict[str, dict[str, Tensor]]:
    """By layer key, the tensors of that layer; words bundled with them are left out. Raises FormatError."""
    return {key: tensors for key, tensors in tensors_by_layer(path).items() if key != BUNDLED}


def bundled_words(path: Path) -> dict[str, WordVectors]:
    """The vectors of words that a file brings along, by their names. Raises FormatError."""
    words: dict[str, dict[str, Tensor]] = {}
    for name, vectors in tensors_by_layer(path).get(BUNDLED, {}).items():
        if not name.endswith("_out"):
            word, _, encoder = name.partition(".")
            words.setdefault(word, {})[encoder] = vectors
    return {word: word_vectors(held, path.name) for word, held in words.items()}


def tensors_by_layer(path: Path) -> dict[str, dict[str, Tensor]]:
    """By kohya's keys, whichever program wrote the file. Raises FormatError."""
    tensors = read_tensors(path, "LoRA")
    settings = settings_beside(path, tensors)
    return {key: with_alpha({rest: as_vector(name, tensors[name]) for rest, name in own.items()}, key, settings)
            for key, own in names_by_layer(tensors).items()}


def names_by_layer(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """By kohya's key of a layer and what kohya calls a tensor, its name in the file."""
    layers: dict[str, dict[str, str]] = {}
    for name in names:
        key, rest = split_name(name)
        layers.setdefault(key, {})[rest] = name
    return layers


def as_vector(name: str, tensor: Tensor) -> Tensor:
    return tensor.flatten() if MAGNITUDE in name else tensor


def settings_beside(path: Path, names: Iterable[str]) -> dict[str, Any]:
    """What the program that wrote a file says of all its layers."""
    return peft_settings(path) if any(name.startswith(PEFT) for name in names) else diffusers_settings(path)


def with_alpha(tensors: dict[str, Tensor], key: str, settings: dict[str, Any]) -> dict[str, Tensor]:
    """A layer's tensors, with the alpha that the settings say."""
    add_alpha(tensors, {**settings, **settings.get(diffusers_part(key), {})}, key)
    return tensors


def diffusers_part(key: str) -> str:
    return "text_encoder_2" if key.startswith(SECOND_TEXT) else "text_encoder" if key.startswith(TEXT) else "unet"


def peft_settings(path: Path) -> dict[str, Any]:
    """What PEFT writes beside its files."""
    beside = path.with_name("adapter_config.json")
    return loads_as(beside.read_text(encoding="utf-8", errors="replace"), dict) if beside.is_file() else {}


def diffusers_settings(path: Path) -> dict[str, Any]:
    """What diffusers writes into the header, by the part of the model."""
    settings: dict[str, Any] = {}
    if path.suffix.lower() == ".safetensors":
        for name, value in loads_as(read_header(path).get("lora_adapter_metadata"), dict).items():
            part, _, setting = name.partition(".")
            settings.setdefault(part, {})[setting] = value
    return settings


def add_alpha(tensors: dict[str, Tensor], settings: dict[str, Any], key: str) -> None:
    """diffusers and PEFT write the alpha of all layers once, and name the layers that have another."""
    others = settings.get("alpha_pattern")
    alpha = next((value for name, value in (others.items() if isinstance(others, dict) else ())
                  if f"_{key}".endswith("_" + str(name).strip("^$").replace(".", "_"))), settings.get("lora_alpha"))
    if "lora_down.weight" in tensors and "alpha" not in tensors and isinstance(alpha, (int, float)):
        rank = tensors["lora_down.weight"].shape[:1].numel()
        tensors["alpha"] = torch.tensor(float(alpha * (rank**0.5 if settings.get("use_rslora") else 1)))


def adapter_delta(key: str, tensors: dict[str, Tensor], weight: Tensor) -> Delta:
    """What one layer's tensors add to its weight (fp32), whatever kind of adapter they are. Raises FormatError."""
    kind = method_of_tensors(tensors)
    if kind is None:
        raise FormatError(f"{key} is of no known kind: it holds {', '.join(sorted(tensors))}.")
    if not all(t.isfinite().all() for t in tensors.values()):
        raise FormatError(f"{key} holds numbers that are not finite (NaN). It was broken when it was trained.")
    try:
        delta = kind.delta({name: t.float() for name, t in tensors.items()}, weight)
    except KeyError as missing:
        raise FormatError(f"{key} lacks {missing.args[0]}.") from None
    except FormatError as error:
        raise FormatError(f"{key} {error}.") from None
    except (RuntimeError, ValueError, IndexError, TypeError, ZeroDivisionError) as error:  # it may hold any shapes
        raise FormatError(f"{key} does not fit its layer of {tuple(weight.shape)}: {error}.") from None
    if delta.weight.shape != weight.shape:
        raise FormatError(f"{key} has the shape {tuple(delta.weight.shape)}, but the layer is {tuple(weight.shape)}.")
    return Delta(delta.weight, tensors[BIAS_DIFFERENCE].float()) if BIAS_DIFFERENCE in tensors else delta


def method_of_tensors(tensors: dict[str, Tensor]) -> type[AdapterSettings] | None:
    """The method whose files hold such tensors for a layer, or None."""
    return next((method for method in methods.all_methods().values()
                 if issubclass(method, AdapterSettings) and method.recognizes(tensors)), None)
