"""Curves by step as inline SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from .html import NOTHING, html, joined

WIDTH, LEFT, RIGHT, BOTTOM, TOP = 640, 52, 8, 24, 10
SPIKES = 0.1  # share of the highest values of a spiky line that may be cut off
POINTS = 400  # more would not be seen
Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """Points (x, value). css_class: of style.css; dots: mark every point, with its value as a title."""

    css_class: str
    points: Sequence[Point]
    dots: bool = False
    spiky: bool = False  # its highest values may be cut off, so that the others can be seen


def smoothed(values: Sequence[float], share: float = 0.05) -> list[float]:
    """Exponential average over about this share of the values, without bias at the start; skips what is not finite."""
    keep = 1 - 1 / max(1.0, share * len(values))
    total = weight = 0.0
    out = []
    for value in values:
        if math.isfinite(value):
            total, weight = keep * total + (1 - keep) * value, keep * weight + (1 - keep)
        out.append(total / weight if weight else value)
    return out


def raw_and_smooth(css_class: str, points: Sequence[Point]) -> list[Line]:
    """A thin line of the values, and a bold one of their moving average."""
    bold = smoothed([value for _, value in points])
    average = [(x, value) for (x, _), value in zip(points, bold)]
    return [Line(f"raw {css_class}", points, spiky=True), Line(css_class, average)]


def thinned(points: Sequence[Point]) -> list[Point]:
    stride = max(1, len(points) // POINTS)
    return [*points[::stride], *points[-1:]]


def drawable(lines: Sequence[Line]) -> list[Line]:
    """The lines without values that are not finite; empty lines are left out."""
    kept = [replace(line, points=[p for p in line.points if math.isfinite(p[1])]) for line in lines]
    return [line for line in kept if line.points]


def value_range(lines: Sequence[Line]) -> Point:
    """The lowest and highest value of the plot."""
    low, high = [], []
    for line in lines:
        values = sorted(value for _, value in line.points)
        low.append(values[0])
        high.append(values[int((1 - SPIKES) * (len(values) - 1))] if line.spiky else values[-1])
    return min(low), max(high)


def svg(lines: Sequence[Line], last: float, label: str, marks: Sequence[float] = (), width: int = WIDTH,
        height: int = 220, unit: str = "{:.3f}") -> Markup:
    """The lines over x from 0 to last; "" without a point.

    label: for screen readers; marks: x at which copies were saved; unit: the format of the values beside the grid.
    """
    lines = drawable(lines)
    if not lines:
        return NOTHING
    low, high = value_range(lines)
    span, floor = (high - low) or 1.0, height - BOTTOM

    def x(value: float) -> float:
        return LEFT + (width - LEFT - RIGHT) * value / (last or 1)

    def y(value: float) -> float:
        return TOP + (floor - TOP) * (1 - (min(value, high) - low) / span)

    values = (low, low + span / 2, high) if height > 100 else (low, high)
    grid = joined(html('<line x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}" class="grid"/>'
                       '<text x="{}" y="{:.1f}" text-anchor="end">{}</text>', LEFT, width - RIGHT, y(v), y(v), LEFT - 6,
                       y(v) + 4, unit.format(v)) for v in values)
    below = joined(html('<text x="{:.1f}" y="{}" text-anchor="{}">{:g}</text>', x(s), height - 6, side, s)
                   for s, side in zip((0, round(last / 2, 1), round(last, 1)), ("start", "middle", "end")))
    saved = joined(html('<line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}" class="mark"/>', x(s), TOP, floor)
                   for s in marks)
    drawn = joined(
        polyline(line, [(x(a), y(b)) for a, b in thinned(line.points)]) + dots(line, x, y) for line in lines)
    return html('<svg class="darkroom-curve" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}{}</svg>', width,
                height, label, grid, saved, below, drawn)


def polyline(line: Line, points: Sequence[Point]) -> Markup:
    return html('<polyline points="{}" class="line {}"/>', " ".join(f"{a:.1f},{b:.1f}" for a, b in points),
                line.css_class)


def dots(line: Line, x: Callable[[float], float], y: Callable[[float], float]) -> Markup:
    if not line.dots:
        return NOTHING
    return joined(html('<circle cx="{:.1f}" cy="{:.1f}" r="3" class="dot {}"><title>{:g}: {:.4f}</title></circle>',
                       x(a), y(b), line.css_class, a, b) for a, b in thinned(line.points))


def legend(names: Sequence[tuple[str, str]]) -> Markup:
    """A swatch and a name for each (css_class, name)."""
    return html('<div class="darkroom-legend">{}</div>', joined(
        html('<span><i class="swatch {}"></i>{}</span>', css_class, name) for css_class, name in names))
