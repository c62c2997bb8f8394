"""Stable Diffusion 2 as data."""

from .family import Family, TextEncoder

SD2 = Family(
    name="sd2", title="Stable Diffusion 2", marker="cond_stage_model.model.", resolution=768, levels=4, layers=2,
    attention=(0, 1, 2), latent_channels=4, latent_scale=0.18215, lora_names="diffusers",
    text_encoders=(
        TextEncoder("te1", "lora_te", "cond_stage_model.model.", layers=23, openclip=True, spare=1),
    ),
    pipeline="StableDiffusionPipeline", card_version="SD2", unmarked=True,
    base_versions={"eps": "sd_v2", "v": "sd_v2_v"},
    defaults={"data": {"resolution": 768}},
    gpus={"8": {"training": {"checkpointing": True}}},
    architectures={"eps": "stable-diffusion-v2-512", "v": "stable-diffusion-v2-768-v"},
)
