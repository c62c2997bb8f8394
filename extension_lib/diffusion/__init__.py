"""The mathematics of diffusion: noise, prompts and losses."""
