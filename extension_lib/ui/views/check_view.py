"""The check before the start as HTML: what will be trained in one table, and what the doctor found, beside the pictures.

The page imports it when a check is asked for: the doctor is much to read for a WebUI that only starts.
"""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from ...config.run import Run
from ...data.doctor import KINDS, SERIOUS, Problem, examined
from ...data.overview import advice, overview
from ...data.trigger_word import Tokens
from .data_url import small_picture
from .overview_table import table, total
from .plural import counted

MOST = 60  # findings shown; of more only the number


def panel(run: Run, tokens: Tokens | None) -> str:
    """Raises SettingError and FolderError where the run has no pictures to check."""
    seen, advised = overview(run), advice(run)
    said = f'<div class="darkroom-warning" role="status">{escape(advised)}</div>' if advised else ""
    return f'<div class="darkroom-check">{table(seen)}{total(seen)}{said}{findings(examined(run, tokens))}</div>'


def findings(problems: Sequence[Problem]) -> str:
    """A folding part for every kind of problem; the serious ones are open."""
    if not problems:
        return '<div class="darkroom-message good" role="status">No problems found.</div>'
    groups = [(kind, list(group)) for kind, group in groupby(problems[:MOST], key=lambda problem: problem.kind)]
    left = f'<div class="darkroom-faint">and {len(problems) - MOST} more</div>' if len(problems) > MOST else ""
    head = f'<div class="darkroom-warning" role="status"><b>{counted(len(problems), "possible problem")}</b></div>'
    return head + "".join(group_of(kind, group) for kind, group in groups) + left


def group_of(kind: str, problems: list[Problem]) -> str:
    few = len(problems) <= 3
    opened = " open" if kind in SERIOUS or few else ""
    lines = "".join(finding(problem) for problem in problems)
    return f'<details class="darkroom-finding"{opened}><summary>{KINDS[kind]} <b>{len(problems)}</b></summary>{lines}</details>'


def finding(problem: Problem) -> str:
    pictures = "".join(small_picture(path) for path in (problem.path, problem.beside) if path)
    return f'<div class="darkroom-line">{pictures}<span>{escape(problem.text)}</span></div>'


def at_start(run: Run, tokens: Tokens | None) -> str:
    return once_more(examined(run, tokens))


def once_more(problems: Sequence[Problem]) -> str:
    """What is said again when training begins in spite of it: a line for each, and how to see the rest."""
    serious = [problem for problem in problems if problem.kind in SERIOUS]
    lines = "".join(f'<div class="darkroom-warning">{escape(problem.text)}</div>' for problem in serious[:5])
    more = len(serious) - 5
    rest = f'<div class="darkroom-faint">and {more} more; see Check before start in the Concepts tab.</div>' if more > 0 else ""
    head = "<b>Training has started, but check these pictures:</b>"
    return f'<div role="status">{head}{lines}{rest}</div>' if serious else ""
