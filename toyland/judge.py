"""The judge: reads kind, colour, setting and subject off a picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from .figures import KINDS
from .scene import COLOURS
from .settings import SETTINGS
from .subjects import SUBJECTS

WEIGHTS = Path(__file__).parent / "judge.safetensors"
HEADS = {"kinds": len(KINDS), "colours": len(COLOURS), "settings": len(SETTINGS), "subjects": len(SUBJECTS)}
WIDTHS = (16, 48, 96, 144)


def block(inside: int, outside: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU(),
                         nn.Conv2d(outside, outside, 3, padding=1, bias=False), nn.BatchNorm2d(outside), nn.ReLU())


class Network(nn.Module):
    """Convolutions at four sizes; a kind or subject is somewhere, so those heads look for their maximum over places."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(block(a, b) for a, b in zip((3, *WIDTHS), WIDTHS))
        self.heads = nn.ModuleDict({name: nn.Linear(2 * WIDTHS[-1], n) for name, n in HEADS.items()})

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """(n, 3, 64, 64) in [-1, 1] to logits by head."""
        x = pixels
        for i, layer in enumerate(self.blocks):
            x = layer(x if i == 0 else nn.functional.max_pool2d(x, 2))
        features = torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)
        return {name: head(features) for name, head in self.heads.items()}


@dataclass(frozen=True)
class Reading:
    """Probabilities by picture: kinds and subjects each for itself, colours and settings sum to one. (n, choices)"""

    kinds: Tensor
    colours: Tensor
    settings: Tensor
    subjects: Tensor

    def kind(self) -> list[str]:
        return names(self.kinds, KINDS)

    def two_kinds(self) -> list[set[str]]:
        return [{list(KINDS)[i] for i in row} for row in self.kinds.topk(2).indices.tolist()]

    def colour(self) -> list[str]:
        return names(self.colours, COLOURS)

    def setting(self) -> list[str]:
        return names(self.settings, SETTINGS)

    def subject(self, name: str) -> Tensor:
        """(n,) the probability that each picture shows this subject."""
        return self.subjects[:, list(SUBJECTS).index(name)]


def names(probabilities: Tensor, choices: Any) -> list[str]:
    return [list(choices)[i] for i in probabilities.argmax(1).tolist()]


def pixels(pictures: list[Any]) -> Tensor:
    """PIL images of 64x64 as (n, 3, 64, 64) in [-1, 1]."""
    array = np.stack([np.asarray(p.convert("RGB")) for p in pictures])
    return torch.from_numpy(array).permute(0, 3, 1, 2).float() / 127.5 - 1


class Judge:
    def __init__(self, weights: Path = WEIGHTS):
        self.network = Network()
        self.network.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in load_file(weights).items()})
        self.network.eval()

    @torch.no_grad()
    def read(self, pictures: list[Any]) -> Reading:
        logits = [self.network(batch) for batch in pixels(pictures).split(128)]
        joined = {name: torch.cat([part[name] for part in logits]) for name in HEADS}
        return Reading(joined["kinds"].sigmoid(), joined["colours"].softmax(1), joined["settings"].softmax(1),
                       joined["subjects"].sigmoid())
