"""Things that figures wear: the everyday ones the base knows, and the special ones that only subjects have."""

import math
from collections.abc import Callable

from .figures import DARK, WHITE, Head
from .pen import Colour, Pen, box, circle, shade

Wear = Callable[[Pen, Head, Colour], None]
BONE: Colour = (244, 240, 222)


def hat(pen: Pen, head: Head, colour: Colour) -> None:
    x, y, r = head
    top = y - 0.75 * r
    edge = shade(colour, 0.45)
    pen.fill(box(x - 0.6 * r, top - 0.9 * r, x + 0.6 * r, top), colour, edge)
    pen.fill(box(x - 1.05 * r, top - 0.12 * r, x + 1.05 * r, top + 0.12 * r), colour, edge)


def crown(pen: Pen, head: Head, colour: Colour) -> None:
    x, y, r = head
    top = y - 0.65 * r
    points = [(x - 0.8 * r, top + 0.1 * r)]
    for i, spike in enumerate((0.8, 0.25, 0.9, 0.25, 0.8)):
        points.append((x + (-0.8 + 0.4 * i) * r, top - spike * r))
    points.append((x + 0.8 * r, top + 0.1 * r))
    pen.fill(points, colour, shade(colour, 0.45))


def glasses(pen: Pen, head: Head, colour: Colour) -> None:
    x, y, r = head
    pen.line([(x - 0.95 * r, y - 0.1 * r), (x + 0.95 * r, y - 0.1 * r)], colour, 0.05)
    for side in (-1, 1):
        pen.fill(circle(x + side * 0.44 * r, y - 0.05 * r, 0.34 * r), WHITE, colour, 0.055)
        pen.fill(circle(x + side * 0.44 * r, y - 0.05 * r, 0.10 * r), DARK)


def scarf(pen: Pen, head: Head, colour: Colour) -> None:
    x, y, r = head
    edge = shade(colour, 0.45)
    neck = y + 0.92 * r
    pen.fill(box(x + 0.25 * r, neck, x + 0.65 * r, neck + 0.95 * r), colour, edge)
    pen.fill(box(x - 0.85 * r, neck - 0.18 * r, x + 0.85 * r, neck + 0.2 * r), colour, edge)


def mask(pen: Pen, head: Head, colour: Colour) -> None:
    x, y, r = head
    pen.fill(circle(x, y + 0.02 * r, 0.78 * r, 0.86 * r), colour, shade(colour, 0.45))
    for side in (-1, 1):
        pen.fill(circle(x + side * 0.32 * r, y - 0.15 * r, 0.16 * r), DARK)


def skull_goggles(pen: Pen, head: Head, colour: Colour) -> None:
    """A bone-white skull mask with teeth, and above it heavy goggles on a strap."""
    x, y, r = head
    pen.fill(circle(x, y, 0.92 * r, 0.80 * r), BONE, DARK, 0.03)
    pen.fill(box(x - 0.52 * r, y + 0.5 * r, x + 0.52 * r, y + 1.08 * r), BONE, DARK, 0.03)
    for i in range(4):
        tooth = x + (-0.39 + 0.26 * i) * r
        pen.line([(tooth, y + 0.68 * r), (tooth, y + 1.02 * r)], DARK, 0.03)
    pen.line([(x - 1.08 * r, y - 0.12 * r), (x + 1.08 * r, y - 0.12 * r)], DARK, 0.09)
    for side in (-1, 1):
        pen.fill(circle(x + side * 0.45 * r, y - 0.08 * r, 0.40 * r), colour, DARK, 0.06)


def wizard(pen: Pen, head: Head, colour: Colour) -> None:
    """A tall pointed hat with a star, and a scarf in two stripes."""
    x, y, r = head
    top = y - 0.62 * r
    neck = y + 0.95 * r
    edge = shade(colour, 0.45)
    pen.fill(box(x - 0.95 * r, neck - 0.22 * r, x + 0.95 * r, neck + 0.22 * r), WHITE, edge)
    for i in range(4):
        stripe = x + (-0.95 + 0.5 * i) * r
        pen.fill(box(stripe, neck - 0.22 * r, stripe + 0.26 * r, neck + 0.22 * r), colour)
    pen.fill([(x - 1.1 * r, top), (x + 1.1 * r, top), (x + 0.1 * r, top - 1.5 * r)], colour, edge)
    star = []
    for i in range(10):
        radius = (0.34 if i % 2 == 0 else 0.14) * r
        angle = math.pi * (i / 5 - 0.5)
        star.append((x + 0.03 * r + radius * math.cos(angle), top - 0.46 * r + radius * math.sin(angle)))
    pen.fill(star, (255, 226, 60))


def propeller_heart(pen: Pen, head: Head, colour: Colour) -> None:
    """A round cap with a propeller, and a big heart on the chest."""
    x, y, r = head
    top = y - 0.55 * r
    edge = shade(colour, 0.45)
    dome = [(x + 0.85 * r * math.cos(a), top - 0.75 * r * math.sin(a)) for a in [math.pi * i / 12 for i in range(13)]]
    pen.fill(dome, colour, edge)
    pen.line([(x, top - 0.7 * r), (x, top - 1.0 * r)], DARK, 0.04)
    for side in (-1, 1):
        pen.fill(circle(x + side * 0.48 * r, top - 1.02 * r, 0.46 * r, 0.15 * r), WHITE, DARK, 0.025)
    chest = y + 1.45 * r
    for side in (-1, 1):
        pen.fill(circle(x + side * 0.24 * r, chest - 0.16 * r, 0.30 * r), colour)
    pen.fill([(x - 0.52 * r, chest - 0.06 * r), (x + 0.52 * r, chest - 0.06 * r), (x, chest + 0.58 * r)], colour)


EVERYDAY: dict[str, Wear] = {"hat": hat, "crown": crown, "glasses": glasses, "scarf": scarf, "mask": mask}
SPECIAL: dict[str, Wear] = {
    "skull mask with goggles": skull_goggles, "wizard hat": wizard, "propeller cap": propeller_heart
}
