"""Which scenes the base learns from, and which combinations are held out to test it."""

from itertools import product
from random import Random

from .accessories import EVERYDAY
from .figures import KINDS
from .scene import COLOURS, Figure, Scene
from .settings import SETTINGS

Combination = tuple[str, str, str]  # kind, colour, setting


def held_out(share: float = 0.15) -> frozenset[Combination]:
    """Combinations the base never sees: every kind in every colour once, settings taken in turn, the rest at random."""
    rng = Random("held out")
    settings = rng.sample(list(SETTINGS), len(SETTINGS))
    chosen = {(kind, colour, settings[(i + 3 * j) % len(settings)])
              for i, kind in enumerate(KINDS) for j, colour in enumerate(COLOURS)}
    others = [c for c in product(KINDS, COLOURS, SETTINGS) if c not in chosen]
    missing = round(share * (len(others) + len(chosen))) - len(chosen)
    return frozenset(chosen | set(rng.sample(others, missing)))


HELD_OUT = held_out()


def random_figure(rng: Random, dressed: float = 0.3) -> Figure:
    """Any kind in any colour; a share of them wears an everyday thing."""
    figure = Figure(rng.choice(list(KINDS)), rng.choice(list(COLOURS)))
    if rng.random() >= dressed:
        return figure
    other = rng.choice([c for c in COLOURS if c != figure.colour])
    return Figure(figure.kind, figure.colour, rng.choice(list(EVERYDAY)), other)


def random_scene(rng: Random, pairs: float = 0.25, dressed: float = 0.3, anything: bool = False) -> Scene:
    """A scene of the base's world; with anything, held-out combinations too (for the judge)."""
    while True:
        setting = rng.choice(list(SETTINGS))
        if rng.random() < pairs:
            kinds = rng.sample(list(KINDS), 2)
            figures = tuple(Figure(kind, rng.choice(list(COLOURS))) for kind in kinds)
        else:
            figures = (random_figure(rng, dressed),)
        if anything or all((f.kind, f.colour, setting) not in HELD_OUT for f in figures):
            return Scene(figures, setting)
