"""The check before the start as HTML: what will be trained in one table, and what the doctor found, beside the pictures."""

from collections.abc import Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from ..data.doctor import KINDS, SERIOUS, Problem
from ..data.overview import Overview, Part
from ..data.pictures import PictureError, load
from .inline import address

THUMBNAIL, MOST = 56, 60  # pixels; findings shown, of more only the number
SHAPE = 18  # pixels of a size's little drawing


def panel(overview: Overview, problems: Sequence[Problem], advice: str = "") -> str:
    advised = f'<div class="darkroom-warning" role="status">{escape(advice)}</div>' if advice else ""
    return f'<div class="darkroom-check">{table(overview)}{total(overview)}{advised}{findings(problems)}</div>'


# ---- what will be trained


def table(overview: Overview) -> str:
    rows = "".join(row(n + 1, part) for n, part in enumerate(overview.parts))
    head = "".join(f"<th>{title}</th>" for title in ("Concept", "Pictures", "Repeats", "Shown per epoch", "Learned in the sizes"))
    return (f'<div class="darkroom-wide"><table class="darkroom-check-table"><thead><tr>{head}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>")


def row(number: int, part: Part) -> str:
    repeats = ", ".join(f"×{n}" for n in part.repeats)
    pictures = str(len(part.items)) + (f'<div class="darkroom-faint">{part.held_out} held out</div>' if part.held_out else "")
    cells = (str(number), pictures, repeats, str(part.showings), sizes(part))
    numbers = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr class="numbers">{numbers}</tr><tr><td></td><td colspan="{len(cells) - 1}">{prompts(part)}</td></tr>'


def sizes(part: Part) -> str:
    """Every bucket with its shape drawn small and how many pictures it holds."""
    return "".join(f'<span class="darkroom-size">{shape(*size)}{size[0]}×{size[1]} <b>{count}</b></span>'
                   for size, count in part.sizes)


def shape(width: int, height: int) -> str:
    scale = SHAPE / max(width, height)
    return f'<i style="width:{round(scale * width)}px;height:{round(scale * height)}px"></i>'


def prompts(part: Part) -> str:
    """Some pictures with the prompt under which each is learned."""
    more = len(part.items) - len(part.prompts)
    lines = "".join(f'<div class="darkroom-line">{small_picture(item.path)}{quoted(text)}</div>' for item, text in part.prompts)
    return lines + (f'<span class="darkroom-faint">and {more} more</span>' if more > 0 else "")


def quoted(text: str) -> str:
    return f'<q translate="no">{escape(text)}</q>' if text else "<q><i>empty</i></q>"


def total(overview: Overview) -> str:
    """Pictures, batches and steps in one line, so that nobody has to reckon."""
    batches = counted(overview.batches, "batch", "batches")
    showings = f"{counted(overview.showings, 'showing')} in {batches}, {overview.at_once} at once"
    steps = "1 step" if overview.per_epoch == 1 else f"{overview.per_epoch:g} steps"
    epochs = f"{overview.steps} steps = {overview.epochs:.1f} epochs, each picture is seen about {overview.seen} times"
    return f'<div class="darkroom-figures">{showings} = {steps} per epoch; {epochs}</div>'


def counted(n: int, one: str, many: str = "") -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


# ---- what the doctor found


def findings(problems: Sequence[Problem]) -> str:
    """A folding part for every kind of problem; the serious ones are open."""
    if not problems:
        return '<div class="darkroom-message good" role="status">No problems found.</div>'
    groups = [(kind, list(group)) for kind, group in groupby(problems[:MOST], key=lambda problem: problem.kind)]
    left = f'<div class="darkroom-faint">and {len(problems) - MOST} more</div>' if len(problems) > MOST else ""
    head = f'<div class="darkroom-warning" role="status"><b>{counted(len(problems), "thing")} worth a look</b></div>'
    return head + "".join(group_of(kind, group) for kind, group in groups) + left


def group_of(kind: str, problems: list[Problem]) -> str:
    few = len(problems) <= 3
    opened = " open" if kind in SERIOUS or few else ""
    lines = "".join(finding(problem) for problem in problems)
    return f'<details class="darkroom-finding"{opened}><summary>{KINDS[kind]} <b>{len(problems)}</b></summary>{lines}</details>'


def finding(problem: Problem) -> str:
    pictures = "".join(small_picture(path) for path in (problem.path, problem.beside) if path)
    return f'<div class="darkroom-line">{pictures}<span>{escape(problem.text)}</span></div>'


def small_picture(path: Path) -> str:
    try:
        image = load(path, 2 * THUMBNAIL)
    except PictureError:
        return f'<span class="darkroom-thumb darkroom-broken" title="{escape(path.name)}">?</span>'
    shown = address(image, 2 * THUMBNAIL)
    return f'<img class="darkroom-thumb" src="{shown}" alt="{escape(path.name)}" title="{escape(path.name)}">'


def at_start(problems: Sequence[Problem]) -> str:
    """What is said again when training begins in spite of it: a line for each, and how to see the rest."""
    serious = [problem for problem in problems if problem.kind in SERIOUS]
    lines = "".join(f'<div class="darkroom-warning">{escape(problem.text)}</div>' for problem in serious[:5])
    more = len(serious) - 5
    rest = f'<div class="darkroom-faint">and {more} more; see Check before start in the Concepts tab.</div>' if more > 0 else ""
    head = "<b>Training has begun, but look at these pictures:</b>"
    return f'<div role="status">{head}{lines}{rest}</div>' if serious else ""
