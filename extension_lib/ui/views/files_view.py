"""A LoRA file as the page shows it: what it is, how strong it is in each block, and what is wrong with it."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from .blocks_view import strength_svg
from .html import NOTHING, html, joined
from .job_view import bar, duration, message

if TYPE_CHECKING:
    from ...files.check import Finding
    from ...files.describe import Description
    from ...files.progress import Progress

SHOWN = 20  # findings


def description(found: "Description") -> Markup:
    """A table of facts, and the picture of the blocks."""
    family = html("{}", found.family.title) if found.family else html("<span>not told</span>")
    facts: list[tuple[str, Any]] = [
        ("Kind", html("<span>{}</span>", counted(found.kinds))), ("Family", family), ("Layout", plain(found.layout)),
        ("Read by", plain(", ".join(found.readers))),
        ("Rank", plain(counted(found.ranks))), ("Alpha", plain(counted(found.alphas))),
        ("Precision", plain(counted(found.precisions))), ("Layers", plain(counted(found.parts))),
        ("Size", plain(f"{found.size / 2**20:.1f} MiB")), ("Trained on", plain(found.base)),
        ("Words", plain(", ".join(found.words))), ("Frequent in captions", plain(", ".join(found.frequent))),
        ("Notes", plain(found.notes)), ("Made by", plain(found.made_by)),
        ("Training", plain(", ".join(f"{name} {value}" for name, value in found.training.items())))]
    rows = joined(html("<tr><th>{}</th><td>{}</td></tr>", name, value) for name, value in facts if value)
    return html('<table class="darkroom-check-table"><tbody>{}</tbody></table>{}', rows, strengths(found))


def strengths(found: "Description") -> Markup:
    unknown = html("<p>{}</p>", f"The strength of {found.unknown} layers can be told with a checkpoint alone.")
    picture = strength_svg(found.strength)
    shown = html('<h4>Strength per block</h4><div class="darkroom-wide">{}</div>', picture)
    return joined([shown if picture else NOTHING, unknown if found.unknown else NOTHING])


def plain(text: str) -> Markup:
    """What people wrote, or numbers."""
    return html('<span translate="no">{}</span>', text) if text else NOTHING


def counted(values: Mapping[Any, int]) -> str:
    """"4" where all are the same, else "16 (192), 8 (32)"."""
    if len(values) == 1:
        return str(next(iter(values)))
    return ", ".join(f"{value} ({count})" for value, count in values.items())


def findings(found: "Iterable[Finding]") -> Markup:
    found = list(found)
    if not found:
        return message("Nothing is wrong with this file.", good=True)
    lines = joined(html('<li><span translate="no">{}</span> <span>{}</span></li>', one.layer, one.text)
                   for one in found[:SHOWN])
    more = html("<p>{}</p>", f"and {len(found) - SHOWN} more") if len(found) > SHOWN else NOTHING
    return html("<ul>{}</ul>{}", lines, more)


def progress_line(progress: "Progress") -> Markup:
    return html('{}<div class="darkroom-figures">{}</div>', bar(progress.share, "The tool's progress"),
                f"{duration(progress.left)} left")
