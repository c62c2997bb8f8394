"""Curves by step as inline SVG."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from html import escape

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
        height: int = 220, unit: str = "{:.3f}") -> str:
    """The lines over x from 0 to last; "" without a point.

    label: for screen readers; marks: x at which copies were saved; unit: the format of the values beside the grid.
    """
    lines = drawable(lines)
    if not lines:
        return ""
    low, high = value_range(lines)
    span, floor = (high - low) or 1.0, height - BOTTOM

    def x(value: float) -> float:
        return LEFT + (width - LEFT - RIGHT) * value / (last or 1)

    def y(value: float) -> float:
        return TOP + (floor - TOP) * (1 - (min(value, high) - low) / span)

    values = (low, low + span / 2, high) if height > 100 else (low, high)
    grid = "".join(f'<line x1="{LEFT}" x2="{width - RIGHT}" y1="{y(v):.1f}" y2="{y(v):.1f}" class="grid"/>'
                   f'<text x="{LEFT - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{unit.format(v)}</text>' for v in values)
    below = "".join(f'<text x="{x(s):.1f}" y="{height - 6}" text-anchor="{side}">{s:g}</text>'
                    for s, side in zip((0, round(last / 2, 1), round(last, 1)), ("start", "middle", "end")))
    saved = "".join(f'<line x1="{x(s):.1f}" x2="{x(s):.1f}" y1="{TOP}" y2="{floor}" class="mark"/>' for s in marks)
    drawn = "".join(
        polyline(line, [(x(a), y(b)) for a, b in thinned(line.points)]) + dots(line, x, y) for line in lines)
    return (f'<svg class="darkroom-curve" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}">'
            f"{grid}{saved}{below}{drawn}</svg>")


def polyline(line: Line, points: Sequence[Point]) -> str:
    return f'<polyline points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in points)}" class="line {line.css_class}"/>'


def dots(line: Line, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    if not line.dots:
        return ""
    return "".join(f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="3" class="dot {line.css_class}">'
                   f"<title>{a:g}: {b:.4f}</title></circle>"
                   for a, b in thinned(line.points))


def legend(names: Sequence[tuple[str, str]]) -> str:
    """A swatch and a name for each (css_class, name)."""
    return '<div class="darkroom-legend">' + "".join(
        f'<span><i class="swatch {css_class}"></i>{escape(name)}</span>' for css_class, name in names) + "</div>"
