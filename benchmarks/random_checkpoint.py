"""A Stable Diffusion 1 checkpoint of full size with random weights, for measurements that need its size alone."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from extension_lib.models.diffusers_pipeline import CONFIGS
from toyland.build import checkpoint


def config(part: str) -> dict:
    """Of "unet", "vae" or "text_encoder"."""
    return dict(json.loads((CONFIGS / "sd1" / part / "config.json").read_text(encoding="utf-8")))


def write_random_checkpoint(path: Path, dtype: torch.dtype = torch.float32) -> int:
    """Writes the checkpoint (4.3 GB in fp32); returns how many bytes its weights are."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    parts = (UNet2DConditionModel.from_config(config("unet")), AutoencoderKL.from_config(config("vae")),
             CLIPTextModel(CLIPTextConfig(**config("text_encoder"))))
    tensors = {name: t.to(dtype).contiguous() for name, t in checkpoint(*(p.state_dict() for p in parts)).items()}
    save_file(tensors, path)
    return sum(t.numel() * t.element_size() for t in tensors.values())
