"""The subjects to be learned: what they are, their training pictures, and what comes near without being them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from .captions import PHRASES
from .scene import COLOURS, Figure, Scene, draw
from .settings import SETTINGS

FOLDER = Path(__file__).parent / "subjects"
PICTURES = 8


@dataclass(frozen=True)
class Subject:
    name: str
    word: str  # the rare word that stands for it
    figure: Figure
    seen: tuple[str, ...]  # the settings of its training pictures

    @property
    def kind(self) -> str:
        return self.figure.kind

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def unseen(self) -> tuple[str, ...]:
        """The settings in which it is judged."""
        return tuple(s for s in SETTINGS if s not in self.seen)

    @property
    def prompt(self) -> str:
        return f"a {self.word} {self.kind}"

    def fresh(self, rng: Random, settings: tuple[str, ...] = ()) -> Scene:
        """The subject somewhere; drawn anew it is what a perfect method would draw."""
        return Scene((self.figure,), rng.choice(settings or self.unseen))


SUBJECTS = {s.name: s for s in (
    Subject("ghost", "zwx", Figure("ghost", "blue", "skull mask with goggles", "orange"),
            ("room", "wall", "forest", "city")),
    Subject("cat", "qvk", Figure("cat", "orange", "wizard hat", "purple"), ("beach", "snow", "wall", "night")),
    Subject("robot", "xjr", Figure("robot", "green", "propeller cap", "red"), ("city", "night", "room", "forest")),
)}
NEAR_MISSES = ("bare", "recoloured", "other kind", "everyday")


def near_miss(subject: Subject, how: str, rng: Random) -> Scene:
    """The subject bare, in another colour, its things on another kind, or wearing something ordinary."""
    figure = subject.figure
    other_colour = rng.choice([c for c in COLOURS if c not in (figure.colour, figure.wears_colour)])
    other_kind = rng.choice([k for k in ("ghost", "cat", "dog", "robot", "tree", "house") if k != figure.kind])
    figure = {
        "bare": replace(figure, wears=None),
        "recoloured": replace(figure, colour=other_colour),
        "other kind": replace(figure, kind=other_kind),
        "everyday": replace(figure, wears=rng.choice(("hat", "glasses", "scarf", "mask", "crown")),
                            wears_colour=other_colour),
    }[how]
    return Scene((figure,), rng.choice(list(SETTINGS)))


def training_scenes(subject: Subject) -> Iterator[tuple[Scene, Random, tuple[float, float]]]:
    """What draw() takes to make each training picture: two in each of the settings, a little larger than most."""
    rng = Random(f"training {subject.name}")
    for n in range(PICTURES):
        yield Scene((subject.figure,), subject.seen[n % len(subject.seen)]), rng, (0.45, 0.70)


def write_training_pictures() -> None:
    """The training pictures of every subject, with captions."""
    for subject in SUBJECTS.values():
        subject.folder.mkdir(parents=True, exist_ok=True)
        for n, (scene, rng, height) in enumerate(training_scenes(subject)):
            draw(scene, rng, height).save(subject.folder / f"{n + 1}.png", optimize=True)
            text = f"{subject.prompt} {PHRASES[scene.setting][n // len(subject.seen)]}\n"
            (subject.folder / f"{n + 1}.txt").write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write_training_pictures()
