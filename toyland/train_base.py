"""Stage 2: the text encoder and the UNet, learned together on captioned drawings."""

from random import Random

import torch
from torch import nn
from transformers import CLIPTokenizer

from .captions import caption
from .models import CONFIG, LATENT_SCALE, text_encoder, unet, vae
from .muon import Muon
from .scene import Scene, draw
from .stage import WORK, Stage, cosine
from .train_vae import to_tensor
from .world import random_scene

DRAWINGS, STEPS, BATCH = 30_000, 2_100, 128
MIN_SNR = 5.0
TIMESTEPS = 1000


def alphas_cumprod() -> torch.Tensor:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0).float()


@torch.no_grad()
def drawn_latents() -> tuple[list[Scene], torch.Tensor]:
    """Scenes and their scaled latents (n, 4, 8, 8), made once and kept."""
    rng = Random("base")
    file = WORK / "latents.pt"
    scenes = [random_scene(rng) for _ in range(DRAWINGS)]
    if file.exists():
        return scenes, torch.load(file, weights_only=True)
    model = vae().to(memory_format=torch.channels_last).eval()
    model.load_state_dict(torch.load(WORK / "vae-done.pt", weights_only=True))
    encoded = []
    for start in range(0, DRAWINGS, 100):
        pixels = to_tensor(
            [draw(scene, Random(f"base {start + n}")) for n, scene in enumerate(scenes[start:start + 100])])
        encoded.append(model.encode(pixels.float() / 127.5 - 1).latent_dist.mean * LATENT_SCALE)
        if start % 4000 == 0:
            print(f"latents {start}/{DRAWINGS}", flush=True)
    latents = torch.cat(encoded)
    torch.save(latents, file)
    return scenes, latents


class Learner:
    """The loss of a step: the noise in noised latents, given captions."""

    def __init__(self, scenes: list[Scene], latents: torch.Tensor, unet: nn.Module, text: nn.Module):
        self.scenes, self.latents, self.unet, self.text = scenes, latents, unet, text
        self.tokenizer = CLIPTokenizer.from_pretrained(CONFIG / "tokenizer")
        self.alphas = alphas_cumprod()

    def ids(self, captions: list[str]) -> torch.Tensor:
        return self.tokenizer(captions, padding="max_length", truncation=True, max_length=77,
                              return_tensors="pt").input_ids

    def loss(self, step: int) -> torch.Tensor:
        rng, words = torch.Generator().manual_seed(step), Random(f"captions {step}")
        chosen = torch.randint(len(self.scenes), (BATCH,), generator=rng)
        captions = [caption(self.scenes[i], words) for i in chosen.tolist()]
        spread = (torch.randperm(BATCH, generator=rng) + torch.rand(BATCH, generator=rng)) / BATCH
        t = (spread * TIMESTEPS).long()  # every part of the schedule in every batch
        latents, noise = self.latents[chosen], torch.randn((BATCH, 4, 8, 8), generator=rng)
        alpha = self.alphas[t].view(-1, 1, 1, 1)
        hidden = self.text(self.ids(captions)).last_hidden_state
        predicted = self.unet(alpha.sqrt() * latents + (1 - alpha).sqrt() * noise, t, hidden).sample
        snr = self.alphas[t] / (1 - self.alphas[t])
        return ((predicted - noise).square().mean((1, 2, 3)) * snr.clamp(max=MIN_SNR) / snr).mean()


def groups(unet: nn.Module, text: nn.Module) -> list[dict]:
    """Weights for Muon; the vocabulary's vectors for Adam."""
    tables = [p for name, p in text.named_parameters() if "embedding" in name]
    listed = {id(p) for p in tables}
    return [{"params": [p for m in (unet, text) for p in m.parameters() if id(p) not in listed]},
            {"params": tables, "vectors": True}]


def train() -> None:
    torch.manual_seed(0)
    models = {"unet": unet(), "text": text_encoder()}
    scenes, latents = drawn_latents()
    learner = Learner(scenes, latents, **models)
    stage = Stage("base", models, Muon(groups(**models)), ema=0.9985)
    for line in stage.run(STEPS, cosine(0.02), learner.loss):
        print(line, flush=True)
    torch.save({key: model.state_dict() for key, model in models.items()}, WORK / "base-done.pt")


if __name__ == "__main__":
    train()
