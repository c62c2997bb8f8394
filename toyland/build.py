"""Stage 3: one checkpoint in Stable Diffusion 1's key layout from the trained parts."""

from pathlib import Path

import torch
from safetensors.torch import save

from extension_lib.families.sd1 import SD1
from extension_lib.models.names import replace_prefix, unet_prefixes, vae_prefixes
from extension_lib.support.disk import write_bytes

from .stage import WORK

BASE = Path(__file__).parent / "base.safetensors"


def checkpoint(unet: dict, vae: dict, text: dict) -> dict[str, torch.Tensor]:
    """Weights of diffusers' and transformers' modules under their names in checkpoints."""
    out = {}
    for prefix, state, names in (("model.diffusion_model", unet, unet_prefixes(SD1)),
                                 ("first_stage_model", vae, vae_prefixes())):
        for path, tensor in state.items():
            name = replace_prefix(path, names)
            if name is None:
                raise KeyError(f"{path} has no name in checkpoints")
            if ".attn_1." in name and tensor.dim() == 2:  # diffusers made linear layers of these 1x1 convolutions
                tensor = tensor[:, :, None, None]
            out[f"{prefix}.{name}"] = tensor
    for path, tensor in text.items():
        if not path.endswith("position_ids"):
            out[SD1.text_encoders[0].checkpoint + "text_model." + path.removeprefix("text_model.")] = tensor
    return out


def build() -> None:
    base = torch.load(WORK / "base-done.pt", weights_only=True)
    vae = torch.load(WORK / "vae-done.pt", weights_only=True)
    tensors = {
        name: t.to(torch.float16).contiguous()
        for name, t in checkpoint(base["unet"], vae, base["text"]).items()
    }
    write_bytes(BASE, save(tensors, {"format": "pt", "modelspec.architecture": SD1.architectures["eps"],
                                     "modelspec.title": "Toyland, Darkroom's practice model"}))


if __name__ == "__main__":
    build()
