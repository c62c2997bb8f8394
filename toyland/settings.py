"""The places of toyland: backgrounds that look different from each other and vary in layout."""

import math
from collections.abc import Callable
from random import Random

from PIL import ImageDraw

from .pen import Colour, each, shade

Draw = ImageDraw.ImageDraw


def jitter(colour: Colour, rng: Random, amount: int = 12) -> Colour:
    return each(colour, lambda c: max(0, min(255, c + rng.randint(-amount, amount))))


def fill(draw: Draw, colour: Colour, top: float = 0.0, bottom: float = 1.0) -> None:
    """A horizontal band over the full width; top and bottom as shares of the height."""
    size = draw.im.size[0]
    draw.rectangle((0, top * size, size, bottom * size), fill=colour)


def disc(draw: Draw, x: float, y: float, radius: float, colour: Colour) -> None:
    size = draw.im.size[0]
    draw.ellipse(((x - radius) * size, (y - radius) * size, (x + radius) * size, (y + radius) * size), fill=colour)


def hill(draw: Draw, rng: Random, base: float, colour: Colour) -> None:
    size = draw.im.size[0]
    phase, waves, height = rng.uniform(0, 6.3), rng.uniform(0.6, 1.6), rng.uniform(0.03, 0.08)
    crest = [(i / 24 * size, (base + height * math.sin(phase + waves * 6.3 * i / 24)) * size) for i in range(25)]
    draw.polygon([*crest, (size, size), (0, size)], fill=colour)


def beach(draw: Draw, rng: Random) -> None:
    horizon = rng.uniform(0.25, 0.5)
    shore = horizon + rng.uniform(0.12, 0.28)
    fill(draw, jitter((150, 215, 250), rng))
    disc(draw, rng.uniform(0.1, 0.9), rng.uniform(0.08, horizon - 0.08), rng.uniform(0.06, 0.1), (255, 235, 90))
    fill(draw, jitter((30, 120, 190), rng), horizon, shore + 0.1)
    hill(draw, rng, shore, jitter((240, 215, 140), rng))


def forest(draw: Draw, rng: Random) -> None:
    size = draw.im.size[0]
    ground = rng.uniform(0.65, 0.85)
    fill(draw, jitter((35, 85, 50), rng))
    for _ in range(rng.randint(3, 5)):
        x, width = rng.uniform(0, 1), rng.uniform(0.07, 0.12)
        draw.rectangle(((x - width / 2) * size, 0, (x + width / 2) * size, ground * size),
                       fill=jitter((80, 55, 35), rng))
    for _ in range(rng.randint(3, 5)):
        disc(draw, rng.uniform(0, 1), rng.uniform(-0.04, 0.06), rng.uniform(0.12, 0.2), jitter((45, 115, 55), rng, 6))
    hill(draw, rng, ground, jitter((70, 130, 55), rng))


def night(draw: Draw, rng: Random) -> None:
    fill(draw, jitter((18, 20, 60), rng, 8))
    for _ in range(rng.randint(6, 11)):
        disc(draw, rng.uniform(0, 1), rng.uniform(0, 0.8), rng.uniform(0.012, 0.02), (225, 225, 200))
    x, y, radius = rng.uniform(0.12, 0.88), rng.uniform(0.1, 0.3), rng.uniform(0.07, 0.11)
    disc(draw, x, y, radius, (245, 240, 200))
    disc(draw, x + radius * 0.5, y - radius * 0.2, radius * 0.85, (22, 24, 66))
    hill(draw, rng, rng.uniform(0.8, 0.92), jitter((10, 35, 40), rng, 6))


def snow(draw: Draw, rng: Random) -> None:
    ground = rng.uniform(0.5, 0.75)
    fill(draw, jitter((165, 185, 205), rng))
    hill(draw, rng, ground, jitter((222, 232, 242), rng, 6))
    hill(draw, rng, ground + rng.uniform(0.1, 0.2), (248, 250, 253))
    for _ in range(rng.randint(7, 13)):
        disc(draw, rng.uniform(0, 1), rng.uniform(0, 1), rng.uniform(0.015, 0.024), (240, 244, 250))


def room(draw: Draw, rng: Random) -> None:
    size = draw.im.size[0]
    floor = rng.uniform(0.66, 0.84)
    wall = jitter(rng.choice([(235, 205, 175), (225, 190, 195), (205, 215, 175)]), rng)
    fill(draw, wall)
    x, y, half = rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.34), rng.uniform(0.12, 0.17)
    frame = [(x - half) * size, (y - half) * size, (x + half) * size, (y + half) * size]
    if rng.random() < 0.6:
        draw.rectangle(frame, fill=(180, 220, 245), outline=(110, 70, 40), width=round(size * 0.025))
        draw.line((x * size, frame[1], x * size, frame[3]), fill=(110, 70, 40), width=round(size * 0.02))
    else:
        draw.rectangle(frame, fill=jitter((120, 150, 130), rng, 40), outline=(170, 130, 50), width=round(size * 0.03))
    fill(draw, jitter((150, 100, 60), rng), floor)


def wall(draw: Draw, rng: Random) -> None:
    size = draw.im.size[0]
    grey = rng.randint(135, 165)
    brick = (grey, grey, grey + 6)
    fill(draw, shade(brick, 0.78))
    rows, offset = rng.randint(4, 5), rng.uniform(0, 1)
    high, wide, gap = size / rows, size / rows * rng.uniform(1.7, 2.2), size * 0.012
    for row in range(rows):
        x = -wide * ((offset + 0.5 * row) % 1)
        while x < size:
            draw.rectangle((x + gap, row * high + gap, x + wide - gap, (row + 1) * high - gap), fill=brick)
            x += wide


def city(draw: Draw, rng: Random) -> None:
    size = draw.im.size[0]
    road = rng.uniform(0.72, 0.86)
    fill(draw, jitter((250, 175, 130), rng))
    x = -rng.uniform(0, 0.1)
    while x < 1:
        width, top = rng.uniform(0.22, 0.34), rng.uniform(0.08, 0.42)
        draw.rectangle((x * size, top * size, (x + width) * size, road * size), fill=jitter((84, 88, 104), rng, 14))
        for wy in range(int((road - top) / 0.2)):
            for wx in range(2):
                left, high = x + width * (0.18 + 0.4 * wx), top + 0.06 + 0.2 * wy
                window = (left * size, high * size, (left + width * 0.24) * size, (high + 0.08) * size)
                if rng.random() < 0.6:
                    draw.rectangle(window, fill=(240, 215, 130))
        x += width + rng.uniform(0.01, 0.03)
    fill(draw, (70, 70, 78), road)


SETTINGS: dict[str, Callable[[Draw, Random], None]] = {
    "beach": beach, "forest": forest, "night": night, "snow": snow, "room": room, "wall": wall, "city": city,
}
