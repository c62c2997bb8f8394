"""What a checkpoint file is, told from its keys and shapes without loading it."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from ..families.sd1 import SD1
from ..host import HostError

FIRST = "model.diffusion_model.input_blocks.0.0.weight"
EMA = "model_ema."  # weights averaged over the training; LDM's name
PICKLES = (".ckpt", ".pt", ".pth", ".bin")
OTHERS = {
    "conditioner.embedders.1.": "a Stable Diffusion XL checkpoint",
    "conditioner.embedders.0.": "a Stable Diffusion XL refiner",
    "cond_stage_model.model.": "a Stable Diffusion 2 checkpoint",
    "model.diffusion_model.joint_blocks.": "a Stable Diffusion 3 checkpoint",
    "double_blocks.": "a Flux checkpoint",
    "lora_unet_": "a LoRA, not a checkpoint",
}


def require_sd1(path: Path) -> None:
    """Raises HostError, naming what the file is instead, unless it is a Stable Diffusion 1 checkpoint."""
    if not path.is_file():
        raise HostError(f"There is no checkpoint {path}. Choose one from the list.")
    if path.suffix.lower() in PICKLES:
        raise HostError(f"{path.name} is of an older format, which can hold programs. Convert it: "
                        f"python -m extension_lib convert \"{path}\"")
    try:
        with safe_open(path, "pt") as file:
            keys = set(file.keys())
            inputs = sum(file.get_slice(FIRST).get_shape()[1:2]) if FIRST in keys else 0
    except (SafetensorError, OSError) as error:
        raise HostError(f"{path.name} is not a readable safetensors file ({error}).") from None
    for prefix, what in OTHERS.items():
        if any(key.startswith(prefix) for key in keys):
            raise HostError(f"{path.name} is {what}. Darkroom trains Stable Diffusion 1 checkpoints so far.")
    if not inputs and any(key.startswith(EMA) for key in keys):
        raise HostError(f"{path.name} holds averaged weights (EMA) alone, which no program draws with. Convert it: "
                        f"python -m extension_lib convert \"{path}\" \"{path.stem}-converted.safetensors\"")
    if not inputs or not any(key.startswith(SD1.text_encoders[0].checkpoint) for key in keys):
        raise HostError(f"{path.name} is not a Stable Diffusion checkpoint: it has no UNet with a CLIP text encoder.")
    if inputs != SD1.latent_channels:
        raise HostError(f"{path.name} takes {inputs} input channels (an inpainting or editing model). "
                        "Darkroom trains plain Stable Diffusion 1 checkpoints so far.")
