"""What a trained method is worth, in figures between 0 and 1, each with its standard error."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from PIL import Image
from torch import Tensor

from extension_lib.host import Picture

from .captions import PHRASES
from .judge import Judge, pixels
from .scene import draw
from .subjects import Subject

CALIBRATION = Path(__file__).parent / "judge.json"
COUNT = 64
STEPS, CFG = 20, 2.0  # at a higher scale a file learned from eight pictures loses its small things
Draw = Callable[[list[Picture]], list[Image.Image]]


@dataclass(frozen=True)
class Figure:
    """A mean over pictures and its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.error:.3f}"


def mean(values: Tensor) -> Figure:
    values = values.float()
    return Figure(values.mean().item(), (values.std() / len(values) ** 0.5).item())


@dataclass(frozen=True)
class Scale:
    """Where a subject's fidelity is 0 and 1, as the judge's raw probabilities."""

    base: float  # pictures that the base draws for the class word
    fresh: float  # fresh drawings of the subject through the autoencoder

    def of(self, raw: Tensor) -> Tensor:
        return (raw - self.base) / (self.fresh - self.base)


def scale_of(subject: Subject) -> Scale:
    return Scale(**json.loads(CALIBRATION.read_text(encoding="utf-8"))["scales"][subject.name])


def prompts(subject: Subject, word: bool = True, count: int = COUNT) -> list[tuple[str, str]]:
    """(prompt, setting) pairs, never those of the training pictures: unseen settings in all their phrasings.

    word: with the subject's rare word; without it, the class word alone.
    """
    name = subject.prompt if word else f"a {subject.kind}"
    all_pairs = [(f"{name} {phrase}", setting) for setting in subject.unseen for phrase in PHRASES[setting]]
    return [all_pairs[n % len(all_pairs)] for n in range(count)]


def pictures(pairs: list[tuple[str, str]], tag: str = "", seed: int = 1000, cfg: float = CFG) -> list[Picture]:
    return [
        Picture(prompt + tag, steps=STEPS, cfg=cfg, width=64, height=64, seed=seed + n)
        for n, (prompt, _) in enumerate(pairs)
    ]


@dataclass(frozen=True)
class Figures:
    """All figures of one trained file at one weight."""

    fidelity: Figure
    prompt_fidelity: Figure
    drift: Figure
    diversity: Figure
    memorisation: Figure

    def as_dict(self) -> dict[str, dict[str, float]]:
        return {name: {"value": round(f.value, 4), "error": round(f.error, 4)} for name, f in vars(self).items()}


def measured(draw_pictures: Draw, judge: Judge, subject: Subject, tag: str, count: int = COUNT) -> Figures:
    """Draws the subject in settings it was never seen in, and the bare class word, and judges both."""
    pairs = prompts(subject, count=count)
    seen = draw_pictures(pictures(pairs, tag))
    bare = draw_pictures(pictures(prompts(subject, word=False, count=count), tag, seed=5000))
    return Figures(fidelity(judge, subject, seen), prompt_fidelity(judge, pairs, seen), fidelity(judge, subject, bare),
                   diversity(pairs, seen, subject), memorisation(seen, subject))


def fidelity(judge: Judge, subject: Subject, images: list[Image.Image]) -> Figure:
    """0: what the base draws for the class word; 1: the subject itself through the autoencoder."""
    return mean(scale_of(subject).of(judge.read(images).subject(subject.name)))


def prompt_fidelity(judge: Judge, pairs: list[tuple[str, str]], images: list[Image.Image]) -> Figure:
    """Share of pictures that show the setting that was asked for."""
    return mean(torch.tensor([float(a == b) for a, (_, b) in zip(judge.read(images).setting(), pairs)]))


def thumbnails(images: list[Image.Image]) -> Tensor:
    """(n, 3 * 16 * 16): small enough that only layout, pose and place matter."""
    return torch.nn.functional.avg_pool2d(pixels(images), 4).flatten(1)


def diversity(pairs: list[tuple[str, str]], images: list[Image.Image], subject: Subject) -> Figure:
    """How far apart pictures of one setting are, against fresh drawings of the same settings (1)."""
    rng = Random("diversity")
    fresh = [draw(subject.fresh(rng, (setting,)), rng) for _, setting in pairs]
    ratios = []
    for setting in subject.unseen:
        own = [n for n, (_, s) in enumerate(pairs) if s == setting]
        spread = [torch.pdist(thumbnails([some[n] for n in own])).mean() for some in (images, fresh)]
        ratios.append(spread[0] / spread[1])
    return mean(torch.stack(ratios))


def memorisation(images: list[Image.Image], subject: Subject) -> Figure:
    """Share of pictures that are nearer to a training picture than a fresh drawing ever is."""
    kept = [Image.open(path).convert("RGB") for path in sorted(subject.folder.glob("*.png"))]
    rng = Random("memorisation")
    fresh = [draw(subject.fresh(rng, subject.seen), rng) for _ in range(300)]
    limit = nearest(fresh, kept).min() * 0.9
    return mean((nearest(images, kept) < limit).float())


def nearest(images: list[Image.Image], kept: list[Image.Image]) -> Tensor:
    """(n,) the distance of each picture to the nearest kept one."""
    return torch.cdist(pixels(images).flatten(1), pixels(kept).flatten(1)).min(1).values
