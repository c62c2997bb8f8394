"""Stable Diffusion 2 as data."""

from typing import Any

from .family import Family, TextEncoder

# docs/memory.md has the plans behind what suits a graphics card.
LEAST: dict[str, Any] = {"training": {"optimizer": "Adafactor"}}
ONE_BY_ONE: dict[str, Any] = {"training": {"checkpointing": True, "in_backward": True}, "method": {"bf16": True}}
PAIRS: dict[str, Any] = {"training": {"batch_size": 2}}


SD2 = Family(
    name="sd2", title="Stable Diffusion 2", marker="cond_stage_model.model.", resolution=768, levels=4, layers=2,
    attention=(0, 1, 2), latent_channels=4, latent_scale=0.18215, lora_names="diffusers",
    text_encoders=(
        TextEncoder("te1", "lora_te", "cond_stage_model.model.", layers=23, openclip=True, spare=1),
    ),
    pipeline="StableDiffusionPipeline", card_version="SD2", unmarked=True,
    base_versions={"eps": "sd_v2", "v": "sd_v2_v"},
    defaults={"data": {"resolution": 768}},
    gpus={
        "8": {"training": {"checkpointing": True}, "methods": {"full": LEAST}},
        "12": {"methods": {"dreambooth": LEAST, "full": ONE_BY_ONE, "boft": {"training": {"checkpointing": True}}}},
        "16": {"methods": {"lokr": PAIRS, "boft": PAIRS}},
        "24": {"methods": {"dreambooth": {**ONE_BY_ONE, "training": {**ONE_BY_ONE["training"], "batch_size": 1}}}},
    },
    architectures={"eps": "stable-diffusion-v2-512", "v": "stable-diffusion-v2-768-v"},
)
