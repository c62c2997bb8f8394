"""A loss curve as inline SVG: what was measured lightly, its moving average boldly."""

from collections.abc import Sequence

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 220, 46, 24, 10
POINTS = 400  # more would not be seen


def smoothed(values: Sequence[float], share: float = 0.05) -> list[float]:
    """Exponential average over about this share of the values, without a bias at the start."""
    keep = 1 - 1 / max(1.0, share * len(values))
    total = weight = 0.0
    out = []
    for value in values:
        total, weight = keep * total + (1 - keep) * value, keep * weight + (1 - keep)
        out.append(total / weight)
    return out


def thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    stride = max(1, len(points) // POINTS)
    return points[::stride] + points[-1:]


def svg(steps: Sequence[int], losses: Sequence[float], last: int, marks: Sequence[int] = ()) -> str:
    """The curve over steps 0 to last; marks are steps at which something was saved."""
    if not steps:
        return ""
    bold = smoothed(losses)
    low, high = min(bold + list(losses)), max(bold + sorted(losses)[:max(1, int(0.98 * len(losses)))])
    span = (high - low) or 1.0

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - 8) * step / max(1, last)

    def y(loss: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - (min(loss, high) - low) / span)

    def line(values: Sequence[float]) -> str:
        return " ".join(f"{a:.1f},{b:.1f}" for a, b in thinned([(x(s), y(v)) for s, v in zip(steps, values)]))

    grid = "".join(f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y(v):.1f}" y2="{y(v):.1f}" class="grid"/>'
                   f'<text x="{LEFT - 6}" y="{y(v) + 4:.1f}" text-anchor="end">{v:.3f}</text>' for v in (low, low + span / 2, high))
    ticks = "".join(f'<text x="{x(s):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{s}</text>' for s in (0, last // 2, last))
    saved = "".join(f'<line x1="{x(s):.1f}" x2="{x(s):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" class="mark"/>' for s in marks)
    return (f'<svg class="darkroom-curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="Loss by step, now {bold[-1]:.4f}">{grid}{saved}{ticks}<polyline points="{line(losses)}" class="raw"/>'
            f'<polyline points="{line(bold)}" class="smooth"/></svg>')
