"""The kinds of figures in toyland: how each is drawn, how wide it is, and where its head is."""

import math
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from .pen import Colour, Pen, box, circle, shade

DARK: Colour = (35, 30, 40)
WHITE: Colour = (250, 250, 250)
TRUNK: Colour = (120, 78, 45)


class Head(NamedTuple):
    """Where things are worn: centre and radius, in figure coordinates."""

    x: float
    y: float
    radius: float


class Kind(NamedTuple):
    draw: Callable[[Pen, Colour, Random], None]
    width: float  # in figure heights
    head: Head


def eyes(pen: Pen, x: float, y: float, gap: float, size: float, colour: Colour = DARK) -> None:
    for side in (-1, 1):
        pen.fill(circle(x + side * gap, y, size, size * 1.25), colour)


def ghost(pen: Pen, colour: Colour, rng: Random) -> None:
    edge = shade(colour, 0.55)
    waves = rng.choice([3, 4])
    lean = rng.uniform(-0.08, 0.08)
    dome = [(0.36 * math.cos(a), 0.38 - 0.36 * math.sin(a)) for a in [math.pi * i / 16 for i in range(17)]]
    hem = []
    for i in range(waves * 6 + 1):
        t = i / (waves * 6)
        hem.append((-0.40 + 0.80 * t + lean, 0.93 + 0.06 * math.cos(2 * math.pi * waves * t)))
    for side in (-1, 1):
        lift = rng.uniform(-0.12, 0.1)
        pen.fill(circle(side * 0.40, 0.58 + lift, 0.11, 0.08), colour, edge)
    pen.fill(dome + hem, colour, edge)
    eyes(pen, 0.03, 0.32, 0.15, 0.085)
    pen.fill(circle(0.03, 0.55, 0.075, 0.085), DARK)


def cat(pen: Pen, colour: Colour, rng: Random) -> None:
    edge = shade(colour, 0.55)
    swing = rng.uniform(-0.08, 0.12)
    tail = [(0.22, 0.92), (0.42, 0.86), (0.46, 0.66 + swing), (0.40, 0.48 + swing)]
    pen.line(tail, edge, 0.13)
    pen.line(tail, colour, 0.08)
    pen.fill(circle(0, 0.76, 0.27, 0.25), colour, edge)
    for side in (-1, 1):
        pen.fill([(side * 0.31, 0.0), (side * 0.07, 0.16), (side * 0.31, 0.32)], colour, edge)
    pen.fill(circle(0, 0.33, 0.32, 0.27), colour, edge)
    eyes(pen, 0, 0.30, 0.15, 0.07)
    pen.fill([(-0.06, 0.41), (0.06, 0.41), (0, 0.49)], DARK)
    for side in (-1, 1):
        pen.fill(circle(side * 0.12, 0.97, 0.09, 0.04), colour, edge)


def dog(pen: Pen, colour: Colour, rng: Random) -> None:
    edge = shade(colour, 0.55)
    wag = rng.uniform(-0.08, 0.08)
    tail = [(-0.42, 0.50), (-0.58, 0.30 + wag)]
    pen.line(tail, edge, 0.13)
    pen.line(tail, colour, 0.07)
    step = rng.uniform(-0.05, 0.05)
    for x, dx in ((-0.34, step), (-0.16, -step), (0.12, step), (0.28, -step)):
        pen.fill(box(x + dx - 0.055, 0.66, x + dx + 0.055, 1.0), colour, edge)
    pen.fill(circle(-0.05, 0.60, 0.42, 0.19), colour, edge)
    pen.fill(circle(0.36, 0.27, 0.23, 0.22), colour, edge)
    pen.fill(circle(0.56, 0.34, 0.15, 0.10), colour, edge)
    pen.fill(circle(0.68, 0.31, 0.065), DARK)
    pen.fill(circle(0.44, 0.20, 0.07, 0.08), DARK)
    pen.fill(circle(0.20, 0.30, 0.09, 0.20), shade(colour, 0.7), edge)


def robot(pen: Pen, colour: Colour, rng: Random) -> None:
    edge = shade(colour, 0.5)
    arm = rng.uniform(-0.2, 0.2)
    pen.line([(0, 0.0), (0, 0.14)], edge, 0.04)
    pen.fill(circle(0, 0.03, 0.05), shade(colour, 1.5), edge)
    for side in (-1, 1):
        pen.line([(side * 0.24, 0.55), (side * 0.44, 0.66 + side * arm)], edge, 0.11)
        pen.line([(side * 0.24, 0.55), (side * 0.44, 0.66 + side * arm)], shade(colour, 1.35), 0.06)
        pen.fill(box(side * 0.14 - 0.08, 0.80, side * 0.14 + 0.08, 1.0), shade(colour, 0.75), edge)
    pen.fill(box(-0.27, 0.46, 0.27, 0.84), colour, edge)
    pen.fill(box(-0.29, 0.11, 0.29, 0.46), colour, edge)
    for side in (-1, 1):
        pen.fill(box(side * 0.14 - 0.09, 0.17, side * 0.14 + 0.09, 0.31), WHITE, edge, 0.025)
        pen.fill(circle(side * 0.14, 0.24, 0.045), DARK)
    pen.line([(-0.15, 0.39), (0.15, 0.39)], DARK, 0.05)


def fish(pen: Pen, colour: Colour, rng: Random) -> None:
    edge = shade(colour, 0.55)
    flap = rng.uniform(-0.06, 0.06)
    pen.fill([(-0.30, 0.5), (-0.66, 0.16 + flap), (-0.58, 0.5), (-0.66, 0.84 + flap)], shade(colour, 0.78), edge)
    pen.fill([(-0.16, 0.22), (0.02, 0.0), (0.20, 0.20)], shade(colour, 0.78), edge)
    pen.fill([(-0.05, 0.80), (0.02, 1.0), (0.16, 0.80)], shade(colour, 0.78), edge)
    pen.fill(circle(0.10, 0.5, 0.50, 0.34), colour, edge)
    pen.fill(circle(0.34, 0.40, 0.12), WHITE, edge, 0.02)
    pen.fill(circle(0.36, 0.40, 0.065), DARK)
    pen.line([(0.10, 0.28), (0.04, 0.5), (0.10, 0.72)], edge, 0.03)
    pen.line([(0.44, 0.60), (0.56, 0.57)], DARK, 0.03)


def tree(pen: Pen, colour: Colour, rng: Random) -> None:
    edge = shade(colour, 0.55)
    pen.fill([(-0.07, 0.5), (0.07, 0.5), (0.10, 1.0), (-0.10, 1.0)], TRUNK, shade(TRUNK, 0.6))
    if rng.random() < 0.5:
        for x, y in ((-0.22, 0.44), (0.22, 0.44), (0, 0.24)):
            pen.fill(circle(x, y + rng.uniform(-0.03, 0.03), 0.23), colour, edge)
        pen.fill(circle(0, 0.38, 0.24), colour)
    else:
        for top, half, bottom in ((0.34, 0.40, 0.74), (0.17, 0.33, 0.54), (0.0, 0.26, 0.34)):
            pen.fill([(0, top), (half, bottom), (-half, bottom)], colour, edge)


def house(pen: Pen, colour: Colour, rng: Random) -> None:
    edge = shade(colour, 0.5)
    chimney = rng.choice([-0.24, 0.24])
    pen.fill(box(chimney - 0.06, 0.06, chimney + 0.06, 0.3), shade(colour, 0.6), edge)
    pen.fill(box(-0.38, 0.40, 0.38, 1.0), colour, edge)
    pen.fill([(0, 0.02), (0.50, 0.43), (-0.50, 0.43)], shade(colour, 0.62), edge)
    door = rng.choice([-0.17, 0.17])
    pen.fill(box(door - 0.12, 0.62, door + 0.12, 1.0), TRUNK, edge)
    pen.fill(box(-door - 0.13, 0.54, -door + 0.13, 0.78), (255, 244, 170), edge)


def car(pen: Pen, colour: Colour, rng: Random) -> None:
    edge = shade(colour, 0.5)
    roof = rng.uniform(-0.05, 0.05)
    pen.fill([(-0.42, 0.45), (-0.26 + roof, 0.06), (0.22 + roof, 0.06), (0.44, 0.45)], colour, edge)
    pen.fill([(-0.32, 0.42), (-0.21 + roof, 0.14), (-0.04, 0.14), (-0.04, 0.42)], (205, 232, 245), edge, 0.025)
    pen.fill([(0.05, 0.42), (0.05, 0.14), (0.18 + roof, 0.14), (0.33, 0.42)], (205, 232, 245), edge, 0.025)
    pen.fill([(-0.68, 0.48), (-0.60, 0.42), (0.52, 0.42), (0.69, 0.52), (0.69, 0.82), (-0.68, 0.82)], colour, edge)
    pen.fill(circle(0.62, 0.57, 0.055), (255, 244, 170), edge, 0.02)
    for x in (-0.38, 0.38):
        pen.fill(circle(x, 0.80, 0.20), DARK)
        pen.fill(circle(x, 0.80, 0.085), (190, 190, 195))


KINDS = {
    "ghost": Kind(ghost, 0.96, Head(0.02, 0.33, 0.33)),
    "cat": Kind(cat, 0.86, Head(0.0, 0.33, 0.30)),
    "dog": Kind(dog, 1.40, Head(0.38, 0.26, 0.23)),
    "robot": Kind(robot, 1.0, Head(0.0, 0.28, 0.28)),
    "fish": Kind(fish, 1.34, Head(0.24, 0.46, 0.30)),
    "tree": Kind(tree, 0.90, Head(0.0, 0.34, 0.30)),
    "house": Kind(house, 1.04, Head(0.0, 0.50, 0.34)),
    "car": Kind(car, 1.42, Head(0.02, 0.28, 0.26)),
}
