"""A model family as data: how its parts are named, in what order they stand, and what its latents and prompts are."""

from dataclasses import dataclass

# What all families have in common.
CHUNK = 75  # tokens of a prompt that CLIP reads at once; with start and end it is 77
PIXELS_PER_LATENT = 8  # each way
TEXT_BLOCK = "BASE"  # what people call the text encoders where they number the UNet's blocks


@dataclass(frozen=True)
class TextEncoder:
    """One text encoder: the prefix of its keys in LoRA files, and of its keys in a checkpoint."""

    part: str  # "te1"
    prefix: str  # "lora_te"
    checkpoint: str  # "cond_stage_model.transformer."
    layers: int


@dataclass(frozen=True)
class Family:
    name: str
    title: str
    resolution: int  # of the pictures that its checkpoints were made for
    levels: int  # resolutions of the UNet
    layers: int  # residual blocks per level on the way down; one more on the way up
    attention: tuple[int, ...]  # levels, counted from the largest, that attend
    latent_channels: int
    latent_scale: float
    lora_names: str  # whose paths LoRA files have for the UNet's layers: "diffusers" or "compvis"
    text_encoders: tuple[TextEncoder, ...]
    clip_skip: bool  # whether it can be chosen which of the text encoder's layers is the last
    card_version: str  # what the WebUI's LoRA card calls it
    base_version: str  # ss_base_model_version
    architecture: str  # modelspec.architecture

    @property
    def text_parts(self) -> frozenset[str]:
        return frozenset(encoder.part for encoder in self.text_encoders)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The names that people give to the blocks, in the order in which a prompt and a picture pass them."""
        numbers = [f"{n:02d}" for n in range(self.levels * (self.layers + 1))]
        return TEXT_BLOCK, *(f"IN{n}" for n in numbers), "MID", *(f"OUT{n}" for n in numbers), "OUT"
