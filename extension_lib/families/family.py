"""A model family as data: how its parts are named, in what order they stand, and how its latents are scaled."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TextEncoder:
    """One text encoder: the prefix of its keys in LoRA files, and of its keys in a checkpoint."""

    part: str  # "te1"
    prefix: str  # "lora_te"
    checkpoint: str  # "cond_stage_model.transformer."


@dataclass(frozen=True)
class Family:
    name: str
    title: str
    levels: int  # resolutions of the UNet
    layers: int  # residual blocks per level on the way down; one more on the way up
    attention: tuple[int, ...]  # levels, counted from the largest, that attend
    latent_scale: float
    lora_names: str  # whose paths LoRA files have for the UNet's layers: "diffusers" or "compvis"
    text_encoders: tuple[TextEncoder, ...]
    card_version: str  # what the WebUI's LoRA card calls it
    base_version: str  # ss_base_model_version
    architecture: str  # modelspec.architecture
