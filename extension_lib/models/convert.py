"""Checkpoints that cannot be trained on as they are become safetensors files: pickles, and averaged weights alone."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..export.tensor_file import read_tensors
from ..families.sd1 import SD1
from ..host import HostError
from ..support.disk import replacing
from .checkpoint_parts import places
from .detect import EMA, UNET, family_of
from .diffusers_pipeline import CONFIGS

# Lightning kept such objects beside the weights. Nothing is made of them.
BESIDE = ("pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
          "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint")


class Ignored:
    """Stands in a pickle for what is not looked at."""


def convert(path: Path, out: Path | None = None) -> Path:
    """Writes the checkpoint as a safetensors file, beside the old one unless out says where; returns its path.

    Raises HostError, FormatError for a pickle that would run something, and SaveError.
    """
    if not path.is_file():
        raise HostError(f"There is no file {path}.")
    out = out or path.with_suffix(".safetensors")
    if out.exists():
        raise HostError(f"{out} exists already. Give another name as the second argument.")
    with torch.serialization.safe_globals([(Ignored, name) for name in BESIDE]):
        tensors = trained_weights(read_tensors(path, "checkpoint"))
    if not any(name.startswith(UNET) for name in tensors):
        raise HostError(f"{path.name} is no checkpoint of Stable Diffusion in the original layout: it has no "
                        f"{UNET}...")
    with replacing(out) as part:
        save_file({name: t.contiguous().clone() for name, t in tensors.items()}, part, {"format": "pt"})
    return out


def trained_weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without averaged weights, which stand for the UNet where it is missing."""
    family = family_of(set(tensors)) or SD1
    averaged = {place.tensor: tensors[key] for place in places(CONFIGS / family.name, family)
                if place.part == "unet" and (key := averaged_name(place.tensor)) in tensors}
    return {**averaged, **{name: t for name, t in tensors.items() if not name.startswith(EMA)}}


def averaged_name(name: str) -> str:
    """LDM's, which has no dots."""
    return EMA + name.removeprefix("model.").replace(".", "")
