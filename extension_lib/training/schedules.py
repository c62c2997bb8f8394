"""How the learning rate changes during a run: the warm-up, then a schedule."""

import math
from collections.abc import Callable

from ..config.run import Training


def cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


SCHEDULES: dict[str, Callable[[float, Training], float]] = {
    "cosine": lambda share, training: cosine(share),
    "linear": lambda share, training: 1 - share,
    "constant": lambda share, training: 1.0,
    "cosine with restarts": lambda share, training: cosine(share * training.cycles % 1),
    "polynomial": lambda share, training: (1 - share)**training.power,
}


def rate_factor(step: int, training: Training) -> float:
    """The factor of all learning rates at a step (counted from 0)."""
    warmup = training.warming_up
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return SCHEDULES[training.schedule]((step - warmup) / max(1.0, training.steps - warmup), training)
