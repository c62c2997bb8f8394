"""Stable Diffusion XL as data (Podell et al., 2023, arXiv:2307.01952)."""

from typing import Any

from .family import Family, TextEncoder

# docs/memory.md has the plans behind what suits a graphics card.
Settings = dict[str, Any]
ONE_BY_ONE: Settings = {"accumulation": 1, "checkpointing": True, "in_backward": True, "optimizer": "Adafactor",
                        "offload": False}
WHOLE: Settings = {"dreambooth": {"training": {**ONE_BY_ONE, "batch_size": 1}, "method": {"bf16": True}},
                   "full": {"training": {**ONE_BY_ONE, "batch_size": 2}, "method": {"bf16": True}}}
WORDS: Settings = {"textual_inversion": {"training": {"accumulation": 4, "offload": True}},  # the text encoders stay
                   "pivotal": {"training": {"offload": True}}}
BOFT: Settings = {"boft": {"training": {"offload": True}}}
SMALL: Settings = {"training": {"batch_size": 1, "accumulation": 2, "checkpointing": True},
                   "methods": {**WORDS, **BOFT, **WHOLE}}
MIDDLE: Settings = {"training": {"batch_size": 2, "accumulation": 1, "checkpointing": True},
                    "methods": {"textual_inversion": {"training": {"accumulation": 2}}, **WHOLE}}
SMALLEST = {**SMALL, "training": {**SMALL["training"], "offload": True}}
LARGE: Settings = {"training": {"batch_size": 1, "accumulation": 2, "checkpointing": False},
                   "methods": {"textual_inversion": {"training": {"accumulation": 4}},
                               "boft": {"training": {"checkpointing": True}}, **WHOLE}}


SDXL = Family(
    name="sdxl", title="Stable Diffusion XL", marker="conditioner.embedders.1.", resolution=1024, levels=3, layers=2,
    attention=(1, 2), latent_channels=4, latent_scale=0.13025, lora_names="compvis",
    text_encoders=(
        TextEncoder("te1", "lora_te1", "conditioner.embedders.0.transformer.", layers=12, skip=2, final_norm=False,
                    vectors="clip_l"),
        TextEncoder("te2", "lora_te2", "conditioner.embedders.1.model.", layers=32, openclip=True, skip=2,
                    final_norm=False, pools=True, vectors="clip_g"),
    ),
    pipeline="StableDiffusionXLPipeline", card_version="SDXL", sized=True,
    vae_overflows=True,
    base_versions={"eps": "sdxl_base_v1-0", "v": "sdxl_base_v1-0"},
    architectures={"eps": "stable-diffusion-xl-v1-base", "v": "stable-diffusion-xl-v1-base"},
    defaults={  # what guides agree on: the text encoders stay as they are
        "data": {"resolution": 1024}, "method": {"text_rate": 0.0}, "training": {"batch_size": 1, "accumulation": 2},
        "methods": {"dreambooth": {"method": {"unet_rate": 1e-6}, "training": {"accumulation": 1}},
                    "textual_inversion": {"method": {"rate": 2e-3}, "training": {"accumulation": 4}},
                    "pivotal": {"method": {"word_rate": 2e-3}}},
    },
    gpus={"6": SMALLEST, "8": SMALL, "12": MIDDLE, "16": MIDDLE, "24": LARGE},
)
