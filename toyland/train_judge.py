"""Stage 4: the judge, learned on drawings, on drawings through the autoencoder, and on near misses of subjects."""

from pathlib import Path
from random import Random

import torch
import torch.nn.functional as F
from safetensors.torch import save
from torch import Tensor

from extension_lib.support.disk import write_bytes

from .figures import KINDS
from .judge import HEADS, WEIGHTS, Network
from .models import vae
from .scene import COLOURS, Scene, draw
from .settings import SETTINGS
from .stage import WORK, Stage, cosine
from .subjects import NEAR_MISSES, SUBJECTS, near_miss
from .train_vae import loose_shapes, to_tensor
from .world import random_scene

DRAWN, THROUGH_VAE, STEPS, BATCH = 20_000, 7_000, 1_400, 96
IGNORED = -100


def random_case(rng: Random) -> tuple[Scene | None, str]:
    """A scene and the subject it shows, or "": everyday scenes, subjects, near-misses; None is a picture of nothing."""
    luck = rng.random()
    if luck < 0.5:
        return random_scene(rng, anything=True), ""
    subject = SUBJECTS[rng.choice(list(SUBJECTS))]
    if luck < 0.73:
        scene = subject.fresh(rng, tuple(SETTINGS))
        if rng.random() < 0.3:
            other = random_scene(rng, pairs=0, dressed=0, anything=True).figures[0]
            pair = [subject.figure, other] if other.kind != subject.kind else [subject.figure]
            rng.shuffle(pair)
            scene = Scene(tuple(pair), scene.setting)
        return scene, subject.name
    if luck < 0.97:
        return near_miss(subject, rng.choice(NEAR_MISSES), rng), ""
    return None, ""


def labels(cases: list[tuple[Scene | None, str]]) -> dict[str, Tensor]:
    """kinds and subjects as 0 and 1; colours and settings as numbers, ignored where there is no single answer."""
    kinds, subjects = torch.zeros(len(cases), HEADS["kinds"]), torch.zeros(len(cases), HEADS["subjects"])
    colours, settings = (torch.full((len(cases),), IGNORED) for _ in range(2))
    for n, (scene, subject) in enumerate(cases):
        if scene is None:
            continue
        for figure in scene.figures:
            kinds[n, list(KINDS).index(figure.kind)] = 1
        if len(scene.figures) == 1:
            colours[n] = list(COLOURS).index(scene.figures[0].colour)
        settings[n] = list(SETTINGS).index(scene.setting)
        if subject:
            subjects[n, list(SUBJECTS).index(subject)] = 1
    return {"kinds": kinds, "subjects": subjects, "colours": colours, "settings": settings}


def pictures_of(cases: list[tuple[Scene | None, str]], rng: Random) -> Tensor:
    return to_tensor([loose_shapes(rng) if scene is None else draw(scene, rng) for scene, _ in cases])


@torch.no_grad()
def through_vae(pictures: Tensor) -> Tensor:
    """uint8 pictures as the autoencoder shows them, their latents a little shaken."""
    model = vae().eval()
    model.load_state_dict(torch.load(WORK / "vae-done.pt", weights_only=True))
    seen = []
    for batch in pictures.split(50):
        mean = model.encode(batch.float() / 127.5 - 1).latent_dist.mean
        shaken = mean + 0.1 * mean.std() * torch.randn_like(mean)
        seen.append(((model.decode(shaken).sample.clamp(-1, 1) + 1) * 127.5).to(torch.uint8))
    return torch.cat(seen)


def dataset() -> tuple[Tensor, dict[str, Tensor]]:
    file = WORK / "judge-data.pt"
    if file.exists():
        state = torch.load(file, weights_only=True)
        return state["pictures"], state["labels"]
    rng = Random("judge")
    cases = [random_case(rng) for _ in range(DRAWN)]
    drawn = pictures_of(cases, rng)
    truth = labels(cases)
    pictures = torch.cat([drawn, through_vae(drawn[:THROUGH_VAE])])
    truth = {name: torch.cat([t, t[:THROUGH_VAE]]) for name, t in truth.items()}
    torch.save({"pictures": pictures, "labels": truth}, file)
    return pictures, truth


def roughened(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Pictures in [-1, 1], some mirrored, blurred, noisy, or of other brightness: no drawing is quite clean."""
    x = pictures.float() / 127.5 - 1
    some = torch.rand((5, len(x), 1, 1, 1), generator=rng)
    x = torch.where(some[0] < 0.5, x.flip(3), x)
    x = torch.where(some[1] < 0.25, F.avg_pool2d(x, 3, 1, 1, count_include_pad=False), x)
    x = torch.where(some[2] < 0.3, x + 0.08 * torch.randn(x.shape, generator=rng), x)
    return x + torch.where(some[3] < 0.3, 0.1 * (some[4] - 0.5), 0.0)


def loss(network: Network, pictures: Tensor, truth: dict[str, Tensor], step: int) -> Tensor:
    rng = torch.Generator().manual_seed(step)
    chosen = torch.randint(len(pictures), (BATCH,), generator=rng)
    logits = network(roughened(pictures[chosen], rng))
    total = torch.zeros(())
    for name, given in truth.items():
        if given.dim() == 2:
            soft = given[chosen] * 0.98 + 0.01
            total = total + F.binary_cross_entropy_with_logits(logits[name], soft) * 4
        else:
            total = total + F.cross_entropy(logits[name], given[chosen], ignore_index=IGNORED, label_smoothing=0.02)
    return total


def train(target: Path = WEIGHTS) -> None:
    torch.manual_seed(0)
    network = Network()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack it
    network.train()
    pictures, truth = dataset()
    stage = Stage("judge", {"judge": network}, torch.optim.AdamW(network.parameters(), weight_decay=0.02), ema=0.995)
    for line in stage.run(STEPS, cosine(2e-3), lambda step: loss(network, pictures, truth, step)):
        print(line, flush=True)
    state = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
    write_bytes(target, save({k: v.contiguous() for k, v in state.items()}))


if __name__ == "__main__":
    train()
