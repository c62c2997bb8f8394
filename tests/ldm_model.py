"""A LatentDiffusion as A1111 holds it, put together from the real LDM classes of the package stable-diffusion-sdkit."""

from pathlib import Path

import torch
from ldm.modules.diffusionmodules.model import Decoder, Encoder
from ldm.modules.diffusionmodules.openaimodel import UNetModel
from ldm.modules.distributions.distributions import DiagonalGaussianDistribution
from omegaconf import OmegaConf
from safetensors.torch import load_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

TOYLAND = Path(__file__).resolve().parents[1] / "toyland"


class Autoencoder(nn.Module):
    """ldm.models.autoencoder.AutoencoderKL without pytorch-lightning around it."""

    def __init__(self, ddconfig, embed_dim):
        super().__init__()
        self.encoder, self.decoder = Encoder(**ddconfig), Decoder(**ddconfig)
        self.quant_conv = nn.Conv2d(2 * ddconfig["z_channels"], 2 * embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(embed_dim, ddconfig["z_channels"], 1)

    def encode(self, x):
        return DiagonalGaussianDistribution(self.quant_conv(self.encoder(x)))

    def decode(self, z):
        return self.decoder(self.post_quant_conv(z))


class Embedder(nn.Module):
    """ldm's FrozenCLIPEmbedder, whose module also wants open_clip."""

    def __init__(self, folder):
        super().__init__()
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.transformer = CLIPTextModel(CLIPTextConfig.from_json_file(folder / "text_encoder" / "config.json"))


class LatentDiffusion(nn.Module):
    parameterization = "eps"

    def __init__(self, settings):
        super().__init__()
        self.model = nn.Module()
        self.model.diffusion_model = UNetModel(**settings.unet_config.params)
        vae = settings.first_stage_config.params
        self.first_stage_model = Autoencoder(vae.ddconfig, vae.embed_dim)
        self.cond_stage_model = Embedder(TOYLAND / "base")
        betas = torch.linspace(settings.linear_start**0.5, settings.linear_end**0.5, settings.timesteps,
                               dtype=torch.float64)**2
        self.register_buffer("alphas_cumprod", (1 - betas).cumprod(0).float(), persistent=False)


def latent_diffusion(checkpoint: Path = TOYLAND / "base.safetensors") -> LatentDiffusion:
    """The checkpoint's model in fp32; every weight of the file must find its place."""
    settings = OmegaConf.load(TOYLAND / "base.yaml").model.params
    model = LatentDiffusion(settings)
    missing, unexpected = model.load_state_dict({k: v.float() for k, v in load_file(checkpoint).items()}, strict=False)
    assert not unexpected
    assert all(name.endswith("position_ids") for name in missing)
    return model.eval()
