"""A pen that draws vector shapes in a figure's own coordinates onto a picture four times too large."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from PIL import ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

SCALE = 4  # pictures are drawn this much larger, then scaled down, which smooths every edge


def each(colour: Colour, change: Callable[[int], int]) -> Colour:
    """The colour with this change of every channel."""
    red, green, blue = colour
    return change(red), change(green), change(blue)


def shade(colour: Colour, factor: float) -> Colour:
    """The colour made darker (factor < 1) or lighter (factor > 1, towards white)."""
    if factor <= 1:
        return each(colour, lambda c: round(c * factor))
    return each(colour, lambda c: round(c + (255 - c) * (factor - 1)))


def circle(x: float, y: float, rx: float, ry: float | None = None, n: int = 28) -> list[Point]:
    """An ellipse as a polygon of n points."""
    ry = rx if ry is None else ry
    return [(x + rx * math.cos(2 * math.pi * i / n), y + ry * math.sin(2 * math.pi * i / n)) for i in range(n)]


def box(left: float, top: float, right: float, bottom: float) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


@dataclass(frozen=True)
class Pen:
    """Places figure coordinates (y from 0 at the top to 1 at the bottom, x around 0) on the canvas.

    x, y, height: the figure's centre and height in canvas pixels; tilt in radians; mirrored: facing left.
    """

    canvas: ImageDraw.ImageDraw
    x: float
    y: float
    height: float
    tilt: float = 0.0
    mirrored: bool = False

    def place(self, point: Point) -> Point:
        px, py = point[0], point[1] - 0.5
        if self.mirrored:
            px = -px
        cos, sin = math.cos(self.tilt), math.sin(self.tilt)
        return (self.x + self.height * (px * cos - py * sin), self.y + self.height * (px * sin + py * cos))

    def fill(self, points: list[Point], colour: Colour, outline: Colour | None = None, width: float = 0.03) -> None:
        """A filled polygon; width is the outline's, in figure heights."""
        placed = [self.place(p) for p in points]
        self.canvas.polygon(placed, fill=colour)
        if outline:
            self.canvas.line(placed + placed[:2], fill=outline, width=self.thickness(width), joint="curve")

    def line(self, points: list[Point], colour: Colour, width: float = 0.03) -> None:
        self.canvas.line([self.place(p) for p in points], fill=colour, width=self.thickness(width), joint="curve")

    def thickness(self, width: float) -> int:
        return max(SCALE // 2, round(width * self.height))
