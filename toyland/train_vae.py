"""Stage 1: the autoencoder, learned on crops of drawings and of loose shapes."""

from random import Random
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

from .models import LATENT_SCALE, vae
from .muon import Muon
from .pen import SCALE, Pen, box, circle
from .scene import COLOURS, SIZE, draw_with_mask
from .stage import WORK, Stage, cosine
from .world import random_scene

DRAWINGS, STEPS, BATCH, CROP = 16_000, 5_600, 32, 32
# until this share of the steps the blocks at full size rest, which is 2.5 times as fast; then whole pictures
LIGHT = 0.72
FIGURE = 4.0  # how much more an error counts where a figure stands
LATENT_NOISE = 0.03  # added to the encoder's mean while learning, so that neighbouring latents decode alike


def loose_shapes(rng: Random) -> Image.Image:
    """A picture of nothing in particular, so that the autoencoder can show what the world does not hold."""
    canvas = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE), any_colour(rng))
    pencil = ImageDraw.Draw(canvas)
    for _ in range(rng.randint(8, 30)):
        pen = Pen(pencil, rng.uniform(0, 256), rng.uniform(0, 256), rng.uniform(20, 130), rng.uniform(0, 6.3))
        outline = any_colour(rng) if rng.random() < 0.6 else None
        shape = rng.random()
        if shape < 0.4:
            pen.fill(circle(0, 0.5, rng.uniform(0.1, 0.5), rng.uniform(0.1, 0.5)), any_colour(rng), outline)
        elif shape < 0.7:
            pen.fill(box(-rng.uniform(0.1, 0.5), 0, rng.uniform(0.1, 0.5), 1), any_colour(rng), outline)
        elif shape < 0.85:
            pen.fill([(rng.uniform(-0.5, 0.5), rng.random()) for _ in range(3)], any_colour(rng), outline)
        else:
            pen.line([(rng.uniform(-0.5, 0.5), rng.random()) for _ in range(3)], any_colour(rng),
                     rng.uniform(0.02, 0.1))
    return canvas.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def any_colour(rng: Random) -> tuple[int, int, int]:
    if rng.random() < 0.5:
        return rng.choice([*COLOURS.values(), (30, 28, 36), (250, 250, 250), (244, 240, 222)])
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def to_tensor(pictures: list[Image.Image]) -> torch.Tensor:
    """uint8 (n, 3, 64, 64)."""
    return torch.from_numpy(np.stack([np.asarray(p) for p in pictures])).permute(0, 3, 1, 2).contiguous()


def with_mask(rng: Random, loose: bool) -> torch.Tensor:
    """One picture of uint8 (4, 64, 64); of loose shapes everything counts as a figure."""
    if loose:
        picture, mask = loose_shapes(rng), Image.new("L", (SIZE, SIZE), 160)
    else:
        picture, mask = draw_with_mask(random_scene(rng, dressed=0.5), rng)
    return torch.cat([to_tensor([picture])[0], torch.from_numpy(np.array(mask))[None]])


def is_light(step: int) -> bool:
    return step < LIGHT * STEPS


def batch(pictures: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels in [-1, 1] and their weights: random crops in the light part, then whole pictures; the same for the same
    step.

    pictures: uint8 (n, 4, 64, 64), the fourth channel white where a figure stands.
    """
    rng = torch.Generator().manual_seed(step)
    side = CROP if is_light(step) else SIZE
    count = BATCH if is_light(step) else BATCH // 8
    chosen = torch.randint(len(pictures), (count,), generator=rng).tolist()
    corners = torch.randint(SIZE - side + 1, (count, 2), generator=rng).tolist()
    cut = torch.stack([pictures[i, :, y:y + side, x:x + side] for i, (y, x) in zip(chosen, corners)]).float()
    cut = cut.flip(3) if step % 2 else cut
    return cut[:, :3] / 127.5 - 1, 1 + (FIGURE - 1) * cut[:, 3:] / 255


class Learner(nn.Module):
    """The autoencoder's loss. The residual blocks at full size begin as identities and rest in the light part."""

    def __init__(self, autoencoder: Any):
        super().__init__()
        self.autoencoder = autoencoder
        self.largest = [*autoencoder.encoder.down_blocks[0].resnets, *autoencoder.decoder.up_blocks[-1].resnets]
        for block in self.largest:
            nn.init.zeros_(block.conv2.weight)
            nn.init.zeros_(block.conv2.bias)

    def rest(self, light: bool) -> None:
        for block in self.largest:
            if light:
                block.forward = lambda x, temb=None: x
            else:
                block.__dict__.pop("forward", None)

    def forward(self, pixels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        mean = self.autoencoder.encode(pixels).latent_dist.mean
        seen = self.autoencoder.decode(mean + LATENT_NOISE * torch.randn_like(mean)).sample
        error = ((seen - pixels).abs() + (seen - pixels).square()) * weights
        places = weights[..., 1:, :], weights[..., 1:]
        sharp = sum(((a - b).abs() * w).mean() for a, b, w in zip(edges(seen), edges(pixels), places))
        return error.mean() + sharp + 1e-3 * mean.square().mean()

    def loss(self, pixels: torch.Tensor, weights: torch.Tensor, light: bool) -> torch.Tensor:
        self.rest(light)
        if not light:
            return self(pixels, weights)
        half = {name: p.bfloat16() for name, p in self.named_parameters()}
        return torch.func.functional_call(self, half, (pixels.bfloat16(), weights.bfloat16())).float()


def edges(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]


@torch.no_grad()
def rescale(model, pictures: torch.Tensor) -> None:
    """Folds a scale into the two quant convs so that latents times 0.18215 have zero mean and unit variance."""
    means = torch.cat([model.encode(b.float() / 127.5 - 1).latent_dist.mean for b in pictures[:2000].split(50)])
    centre, scale = means.mean((0, 2, 3)), 1 / (LATENT_SCALE * means.std((0, 2, 3)))
    quant, post = model.quant_conv, model.post_quant_conv
    post.bias.add_(post.weight[:, :, 0, 0] @ centre)
    post.weight.div_(scale[None, :, None, None])
    quant.weight[:4] *= scale[:, None, None, None]
    quant.bias[:4] = (quant.bias[:4] - centre) * scale
    quant.weight[4:] = 0
    quant.bias[4:] = -8.0  # log variance: samples of the posterior stay close to its mean


def train() -> None:
    torch.manual_seed(0)
    model = vae().to(memory_format=torch.channels_last)
    learner = Learner(model)
    rng = Random("vae")
    pictures = torch.stack([with_mask(rng, i % 8 == 0) for i in range(DRAWINGS)])
    stage = Stage("vae", {"vae": model}, Muon(model.parameters()), ema=0.998)
    for line in stage.run(STEPS, cosine(0.02), lambda step: learner.loss(*batch(pictures, step), is_light(step))):
        print(line, flush=True)
    learner.rest(light=False)
    rescale(model.eval(), pictures[:, :3])
    torch.save(model.state_dict(), WORK / "vae-done.pt")


if __name__ == "__main__":
    train()
