"""What a checkpoint file is, told from its keys, its header and the .yaml beside it without loading it."""

import re
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError, safe_open

from ..families import FAMILIES
from ..families.family import Family
from ..families.kind import CheckpointKind
from ..families.prediction import Prediction
from ..host import Checkpoint, HostError

UNET = "model.diffusion_model."
FIRST = f"{UNET}input_blocks.0.0.weight"
MIDDLE = f"{UNET}middle_block.1."  # the attention in the middle, which distilled models leave out
EMA = "model_ema."  # weights averaged over the training; LDM's name
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
V_MARK, ZERO_SNR_MARK = "v_pred", "ztsnr"  # keys without meaning but that they are there
SAID = {"v": "v", "epsilon": "eps"}  # modelspec.prediction_type
VELOCITY = re.compile(r"^\s*parameterization:\s*[\"']?v[\"']?\s*(#.*)?$|\.VScaling\s*$", re.MULTILINE)
OTHERS = {  # what keys begin with: what the file is
    f"{UNET}joint_blocks.": "a Stable Diffusion 3 checkpoint",
    f"{UNET}double_blocks.": "a Flux checkpoint",
    "double_blocks.": "a Flux checkpoint",
    "lora_unet_": "a LoRA, not a checkpoint",
    "depth_model.": "a depth-to-image checkpoint",
    "edm_mean": "a checkpoint with another kind of noise (EDM)",
}
REFINER = "conditioner.embedders.0.model."  # its only text encoder; Stable Diffusion XL has it as the second


def kind_of(checkpoint: Checkpoint) -> CheckpointKind | None:
    """With the prediction that a person chose, if any; None for a file that is not trained on."""
    try:
        kind = require_trainable(checkpoint.path)
    except HostError:
        return None
    return replace(kind, prediction=checkpoint.prediction or kind.prediction)


def contradictions(checkpoint: Checkpoint) -> list[str]:
    """A sentence where a person chose another prediction than the file states."""
    kind = kind_of(replace(checkpoint, prediction=None))
    stated, chosen = kind and kind.prediction, checkpoint.prediction
    if not stated or not chosen or stated == chosen:
        return []
    return [f"{checkpoint.path.name} says that it predicts {stated.title}, but 'Prediction' is set to {chosen.title}. "
            "Set it to 'from the file' unless you know that the file is wrong."]


def require_trainable(path: Path) -> CheckpointKind:
    """Raises HostError, naming what the file is instead, unless it is a checkpoint of a known family."""
    if not path.is_file():
        raise HostError(f"There is no checkpoint {path}. Choose one from the list.")
    if path.suffix.lower() in PICKLES:
        raise HostError(f"{path.name} is of an older format, which can hold programs. Convert it: "
                        f"python -m extension_lib convert \"{path}\"")
    try:
        with safe_open(path, "pt") as file:
            keys, header = set(file.keys()), file.metadata() or {}
            inputs = sum(file.get_slice(FIRST).get_shape()[1:2]) if FIRST in keys else 0
    except (SafetensorError, OSError) as error:
        raise HostError(f"{path.name} is not a readable safetensors file ({error}).") from None
    family = require_family(path, keys, inputs)
    return CheckpointKind(family, stated_prediction(keys, header, path.with_suffix(".yaml")))


def require_family(path: Path, keys: set[str], inputs: int) -> Family:
    """Raises HostError."""
    file, family = path.name, family_of(keys)
    for prefix, what in OTHERS.items():
        if has(keys, prefix):
            raise HostError(f"{file} is {what}, which Darkroom does not train.")
    if family is None and has(keys, REFINER):
        raise HostError(f"{file} is a Stable Diffusion XL refiner, which only finishes pictures. Train the base.")
    if not inputs and has(keys, EMA):
        raise HostError(f"{file} holds averaged weights (EMA) alone, which no program draws with. Convert it: "
                        f"python -m extension_lib convert \"{path}\" \"{path.stem}-converted.safetensors\"")
    if not inputs or family is None:
        raise HostError(f"{file} is not a Stable Diffusion checkpoint: it has no UNet with a CLIP text encoder.")
    if inputs != family.latent_channels:
        raise HostError(f"{file} takes {inputs} input channels (an inpainting or editing model). Darkroom trains plain "
                        f"{family.title} checkpoints.")
    if not has(keys, MIDDLE):
        raise HostError(f"{file} is a {family.title} checkpoint with fewer layers (such as SSD), which Darkroom does "
                        "not train.")
    return family


def family_of(keys: set[str]) -> Family | None:
    return next((family for family in FAMILIES if has(keys, family.marker)), None)


def has(keys: set[str], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in keys)


def stated_prediction(keys: set[str], header: dict[str, str], described: Path) -> Prediction | None:
    """By marks among the keys, else by the .yaml that the WebUI reads, else by the header; None: nothing is said."""
    zero_snr = ZERO_SNR_MARK in keys
    if V_MARK in keys:
        return Prediction("v", zero_snr)
    kind = said_beside(described) or SAID.get(header.get("modelspec.prediction_type", ""))
    return Prediction(kind or "eps", zero_snr) if kind or zero_snr else None


def said_beside(described: Path) -> str:
    """What the .yaml beside a checkpoint lets the WebUI draw it as; "" where there is none."""
    if not described.exists():
        return ""
    return "v" if VELOCITY.search(described.read_text(encoding="utf-8", errors="replace")) else "eps"
