"""Drawing with a borrowed model: diffusers' samplers, configured to give what the WebUI's samplers give."""

from itertools import groupby
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
)
from PIL import Image
from torch import Tensor

from ...families.family import PIXELS_PER_LATENT
from ...host import HostError, Picture
from ...model import Condition, Diffusion, Framing, sizes_of
from ...models.view import View

BATCH = 8  # pictures drawn together
SAMPLERS: dict[str, Any] = {
    "Euler": (EulerDiscreteScheduler, {"timestep_spacing": "linspace"}),
    "Euler a": (EulerAncestralDiscreteScheduler, {"timestep_spacing": "linspace"}),
    "DPM++ 2M": (DPMSolverMultistepScheduler, {"timestep_spacing": "linspace", "final_sigmas_type": "zero"}),
    "DPM++ 2M Karras": (DPMSolverMultistepScheduler, {"use_karras_sigmas": True, "final_sigmas_type": "zero"}),
    "DDIM": (DDIMScheduler, {"clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}),
}


def batch_key(picture: Picture) -> tuple:
    return picture.steps, picture.cfg, picture.width, picture.height, picture.sampler, picture.clip_skip


@torch.no_grad()
def draw_pictures(view: View, pictures: list[Picture]) -> list[Image.Image]:
    """PIL images in the order of the pictures. Their prompts have no tags."""
    images = []
    for _, alike in groupby(pictures, key=batch_key):
        group = list(alike)
        for start in range(0, len(group), BATCH):
            images += draw_batch(view, group[start:start + BATCH])
    return images


def draw_batch(view: View, pictures: list[Picture]) -> list[Image.Image]:
    first = pictures[0]
    scheduler = scheduler_of(first.sampler, view.diffusion, first.steps)
    generators = [torch.Generator().manual_seed(p.seed) for p in pictures]
    shape = view.family.latent_channels, first.height // PIXELS_PER_LATENT, first.width // PIXELS_PER_LATENT
    latents = torch.stack([torch.randn(shape, generator=g) for g in generators]) * scheduler.init_noise_sigma
    latents = latents.to(view.device)
    with view.autocast():
        wanted = view.encode_prompts([p.prompt for p in pictures], first.clip_skip, syntax=True)
        unwanted = view.encode_prompts([p.negative for p in pictures], first.clip_skip, syntax=True)
        sizes = sizes_of([Framing((p.height, p.width), (0, 0), (p.height, p.width)) for p in pictures])
        wanted, unwanted = wanted.sized(sizes), unwanted.sized(sizes)
        if view.family.sized:
            unwanted = unwanted.zeroed([not p.negative for p in pictures])
        for t in scheduler.timesteps:
            scaled = scheduler.scale_model_input(latents, t)
            noise = guided_prediction(view, scaled, t, wanted, unwanted, first.cfg)
            latents = scheduler.step(noise, t, latents, **noise_source(scheduler, generators)).prev_sample
    return decode_images(view, latents)


def scheduler_of(sampler: str, diffusion: Diffusion, steps: int) -> Any:
    if sampler not in SAMPLERS:
        raise HostError(f"There is no sampler {sampler!r} here. Choose one of {', '.join(SAMPLERS)}.")
    cls, settings = SAMPLERS[sampler]
    kind = {"eps": "epsilon", "v": "v_prediction"}[diffusion.prediction]
    bars = diffusion.alphas_cumprod
    betas = 1 - bars / torch.cat([torch.ones(1), bars[:-1]])
    made = cls(trained_betas=betas.numpy(), prediction_type=kind, **settings)
    made.alphas_cumprod = bars.clone()  # those that it makes of the betas are rounded
    made.set_timesteps(steps)
    if hasattr(made, "set_begin_index"):
        made.set_begin_index(0)  # else it begins at the second step where the first two have the same timestep
    return made


def noise_source(scheduler: Any, generators: list[torch.Generator]) -> dict[str, Any]:
    return {"generator": generators} if isinstance(scheduler, EulerAncestralDiscreteScheduler) else {}


def guided_prediction(view: View, latents: Tensor, t: Tensor, wanted: Condition, unwanted: Condition,
                      cfg: float) -> Tensor:
    """Classifier-free guidance (Ho & Salimans, 2022, arXiv:2207.12598)."""
    times = t.to(view.device).expand(len(latents))
    if cfg == 1:
        return view.predict(latents, times, wanted)
    if wanted.tokens != unwanted.tokens:
        yes, no = view.predict(latents, times, wanted), view.predict(latents, times, unwanted)
    else:
        both = Condition.joined([wanted, unwanted])
        yes, no = view.predict(latents.repeat(2, 1, 1, 1), times.repeat(2), both).chunk(2)
    return no + cfg * (yes - no)


def decode_images(view: View, latents: Tensor) -> list[Image.Image]:
    pixels = view.decode(latents)
    bytes_ = ((pixels.clamp(-1, 1) + 1) * 127.5).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(array) for array in bytes_]
