"""Stable Diffusion 1 as data."""

from .family import Family, TextEncoder

SD1 = Family(
    name="sd1", title="Stable Diffusion 1", resolution=512, levels=4, layers=2, attention=(0, 1, 2),
    latent_channels=4, latent_scale=0.18215, lora_names="diffusers",
    text_encoders=(TextEncoder("te1", "lora_te", "cond_stage_model.transformer.", layers=12),), clip_skip=True,
    card_version="SD1", base_version="sd_v1", architecture="stable-diffusion-v1",
)
