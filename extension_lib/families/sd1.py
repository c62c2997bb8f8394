"""Stable Diffusion 1 as data."""

from .family import Family, TextEncoder

SD1 = Family(
    name="sd1", title="Stable Diffusion 1", marker="cond_stage_model.transformer.", resolution=512, levels=4, layers=2,
    attention=(0, 1, 2), latent_channels=4, latent_scale=0.18215, lora_names="diffusers",
    text_encoders=(TextEncoder("te1", "lora_te", "cond_stage_model.transformer.", layers=12),), clip_skip=True,
    pipeline="StableDiffusionPipeline", card_version="SD1", base_versions={"eps": "sd_v1", "v": "sd_v1"},
    architectures={"eps": "stable-diffusion-v1", "v": "stable-diffusion-v1"},
)
