"""A model family as data: how its parts are named, in what order they stand, and what its latents and prompts are."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# What all families have in common.
CHUNK = 75  # tokens of a prompt that CLIP reads at once; with start and end it is 77
PIXELS_PER_LATENT = 8  # each way
SINGLE_VECTORS = "emb_params"  # what embedding files call a word's vectors where there is one text encoder
TEXT_BLOCK = "BASE"  # what people call the text encoders where they number the UNet's blocks


@dataclass(frozen=True)
class TextEncoder:
    """One text encoder: how it is named, and what is read of it."""

    part: str  # "te1"
    prefix: str  # of its keys in LoRA files: "lora_te"
    checkpoint: str  # what its keys in a checkpoint begin with: "cond_stage_model.transformer."
    layers: int  # that are loaded
    openclip: bool = False  # whether checkpoints and the WebUI hold it as OpenCLIP's, with fused attention
    spare: int = 0  # layers at its end that only the checkpoint has; nothing reads them
    skip: int = 1  # which layer is read: 1 the last, 2 the one before
    final_norm: bool = True  # whether the last norm follows that layer
    pools: bool = False  # whether one vector of each prompt is read too
    vectors: str = SINGLE_VECTORS  # how embedding files call the vectors that a new word has in it


@dataclass(frozen=True)
class Family:
    name: str
    title: str
    marker: str  # what the keys of its checkpoints alone begin with
    resolution: int  # of the pictures that its checkpoints were made for
    levels: int  # resolutions of the UNet
    layers: int  # residual blocks per level on the way down; one more on the way up
    attention: tuple[int, ...]  # levels, counted from the largest, that attend
    latent_channels: int
    latent_scale: float
    lora_names: str  # whose paths LoRA files have for the UNet's layers: "diffusers" or "compvis"
    text_encoders: tuple[TextEncoder, ...]
    pipeline: str  # diffusers' class
    card_version: str  # what the WebUI's LoRA card calls it
    base_versions: Mapping[str, str] = field(hash=False)  # ss_base_model_version, by prediction
    architectures: Mapping[str, str] = field(hash=False)  # modelspec.architecture, by prediction
    clip_skip: bool = False  # whether it can be chosen which of the text encoder's layers is the last
    sized: bool = False  # whether the UNet is told the size of the picture, its crop and its target
    vae_overflows: bool = False  # whether its autoencoder does in fp16, so that it computes in fp32
    unmarked: bool = False  # whether files do not say what the UNet predicts, so that it must be tried
    # settings that suit it, by section; [methods.NAME] for one method alone, as in a preset
    defaults: Mapping[str, Mapping[str, object]] = field(default_factory=dict, hash=False)
    # the same by graphics card, as a profile of config/purposes.py has it
    gpus: Mapping[str, Mapping[str, Mapping[str, object]]] = field(default_factory=dict, hash=False)

    @property
    def text_parts(self) -> frozenset[str]:
        return frozenset(encoder.part for encoder in self.text_encoders)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The names that people give to the blocks, in the order in which a prompt and a picture pass them."""
        numbers = [f"{n:02d}" for n in range(self.levels * (self.layers + 1))]
        return TEXT_BLOCK, *(f"IN{n}" for n in numbers), "MID", *(f"OUT{n}" for n in numbers), "OUT"
