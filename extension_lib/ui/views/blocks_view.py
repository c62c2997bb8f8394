"""How strong a file is in each block, as a picture: a bar for each, in the order in which a picture passes them."""

from collections.abc import Mapping

from markupsafe import Markup

from .html import NOTHING, html, joined

BAR, GAP, HEIGHT, LABEL = 18, 6, 120, 46  # pixels


def strength_svg(strength: Mapping[str, float]) -> Markup:
    """By block, what is shown; NOTHING where there is none."""
    if not strength:
        return NOTHING
    most = max(strength.values()) or 1.0
    bars = joined(bar(n, block, value, value / most) for n, (block, value) in enumerate(strength.items()))
    width, height = len(strength) * (BAR + GAP) + LABEL, HEIGHT + LABEL + GAP
    return html('<svg xmlns="http://www.w3.org/2000/svg" class="darkroom-blocks" role="img" viewBox="0 0 {} {}" '
                'width="{}" height="{}" font-family="sans-serif" font-size="11" translate="no">'
                "<title>Strength per block</title>{}</svg>", width, height, width, height, bars)


def bar(number: int, block: str, value: float, share: float) -> Markup:
    left, tall = GAP + number * (BAR + GAP), max(share * HEIGHT, 1)
    return html('<g><title>{} {:.4g}</title><rect x="{}" y="{:.1f}" width="{}" height="{:.1f}" rx="2" fill="#4b7bd8"/>'
                '<text transform="translate({},{}) rotate(60)" fill="currentColor">{}</text></g>', block, value, left,
                GAP + HEIGHT - tall, BAR, tall, left + BAR / 3, GAP + HEIGHT + 12, block)
