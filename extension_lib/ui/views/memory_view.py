"""A run's planned memory as a stacked bar against what is free, and the changes that make it fit."""

from markupsafe import Markup

from ...memory import amount
from ...runs.fit import Fit, Saving
from .html import NOTHING, html, joined


def memory_html(fit: Fit) -> Markup:
    scale = max(fit.plan.total, fit.free)
    parts = joined(html('<div class="part{}" style="width:{}%"></div>', number, f"{100 * size / scale:.2f}")
                   for number, (_, size) in enumerate(fit.plan.parts))
    legend = joined(html('<li><i class="part{}"></i><span>{}</span> {}</li>', number, title, amount(size))
                    for number, (title, size) in enumerate(fit.plan.parts))
    return html('<div class="darkroom-memory"><div class="darkroom-message{}" role="status">{}</div>'
                '<div class="darkroom-stack" aria-hidden="true">{}<b style="left:{}%"></b></div><ul>{}</ul>{}</div>',
                " good" if fit.fits else "", fit.verdict, parts, f"{100 * fit.free / scale:.2f}", legend, remedies(fit))


def remedies(fit: Fit) -> Markup:
    """What makes it fit, the cheapest first."""
    if fit.fits:
        return NOTHING
    rest = NOTHING if fit.with_changes <= fit.free else html(
        '<div class="darkroom-warning">{}</div>', "That is not enough: close other programs, or lower the resolution.")
    return html("<ol>{}</ol>{}", joined(map(remedy, fit.changes)), rest)


def remedy(change: Saving) -> Markup:
    return html('<li><span>{}</span>: <span>saves {}</span>, <span>{}</span></li>', change.remedy.text,
                amount(change.saves), change.remedy.cost)
