"""A scene says what a picture shows; draw() makes the picture."""

import math
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageChops, ImageDraw

from .accessories import EVERYDAY, SPECIAL
from .figures import KINDS
from .pen import SCALE, Colour, Pen
from .settings import SETTINGS

SIZE = 64
COLOURS: dict[str, Colour] = {
    "red": (215, 40, 40), "orange": (245, 140, 30), "yellow": (250, 220, 50), "green": (50, 165, 70),
    "blue": (45, 95, 220), "purple": (135, 60, 185), "pink": (250, 150, 200), "white": (245, 245, 248),
}
WEAR = {**EVERYDAY, **SPECIAL}
HEADROOM = {"hat": 1.65, "crown": 1.55, "wizard hat": 2.15, "propeller cap": 1.75}  # above the head's centre, in radii


@dataclass(frozen=True)
class Figure:
    kind: str
    colour: str
    wears: str | None = None
    wears_colour: str = "red"


@dataclass(frozen=True)
class Scene:
    """One figure, or two side by side from left to right, in a setting."""

    figures: tuple[Figure, ...]
    setting: str


def draw(scene: Scene, rng: Random, height: tuple[float, float] = (0.30, 0.70)) -> Image.Image:
    """The scene as a 64x64 RGB picture; layout, pose and place come from rng.

    height: smallest and largest height of a single figure as a share of the frame.
    """
    return draw_with_mask(scene, rng, height)[0]


def draw_with_mask(scene: Scene, rng: Random,
                   height: tuple[float, float] = (0.30, 0.70)) -> tuple[Image.Image, Image.Image]:
    """The same, with a greyscale picture that is white where a figure stands."""
    canvas = Image.new("RGB", (SIZE * SCALE, SIZE * SCALE))
    pencil = ImageDraw.Draw(canvas)
    SETTINGS[scene.setting](pencil, rng)
    background = canvas.copy()
    slots = [(0.0, 1.0)] if len(scene.figures) == 1 else [(0.0, 0.5), (0.5, 1.0)]
    for figure, (left, right) in zip(scene.figures, slots):
        draw_figure(pencil, figure, left, right, height, rng)
    mask = ImageChops.difference(canvas, background).convert("L").point(lambda v: 255 if v > 6 else 0)
    return canvas.resize((SIZE, SIZE), Image.Resampling.LANCZOS), mask.resize((SIZE, SIZE), Image.Resampling.BOX)


def draw_figure(pencil: ImageDraw.ImageDraw, figure: Figure, left: float, right: float,
                height: tuple[float, float], rng: Random) -> None:
    kind = KINDS[figure.kind]
    tilt = rng.uniform(-0.22, 0.22)
    wide = kind.width * math.cos(tilt) + abs(math.sin(tilt))
    tall = min(rng.uniform(*height), (right - left) * 0.96 / wide)
    x = rng.uniform(left + wide * tall / 2, right - wide * tall / 2)
    rise = HEADROOM.get(figure.wears or "", 0.0) * kind.head.radius - kind.head.y
    y = rng.uniform(tall * (0.5 + max(0.0, rise)) + 0.02, 0.98 - tall / 2)
    full = SIZE * SCALE
    pen = Pen(pencil, x * full, y * full, tall * full, tilt, mirrored=rng.random() < 0.5)
    kind.draw(pen, COLOURS[figure.colour], rng)
    if figure.wears:
        WEAR[figure.wears](pen, kind.head, COLOURS[figure.wears_colour])
