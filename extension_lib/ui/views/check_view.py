"""The check before the start as HTML: a table of what will be trained, and the problems, each beside its pictures.

The page imports it only for a check, because the doctor takes time to import.
"""

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from ...config.run import Run
from ...data.doctor import find_problems, unreadable_pictures
from ...data.overview import advice, overview
from ...data.problems import KINDS, SERIOUS, Problem
from ...data.trigger_word import Tokens
from .data_url import small_picture
from .html import NOTHING, html, joined
from .overview_table import overview_table, totals
from .plural import counted

MOST_SHOWN = 60  # problems that are listed; of more only the number


def check_report(run: Run, tokens: Tokens | None) -> tuple[Markup, Markup]:
    """The report, and of it the line about steps. Raises SettingError and FolderError where there is nothing to check.
    """
    found, hint = find_problems(run, tokens), advice(run)
    numbers = overview(run, unreadable_pictures(found))
    warning = html('<div class="darkroom-warning" role="status">{}</div>', hint) if hint else NOTHING
    steps = totals(numbers)
    return html('<div class="darkroom-check">{}{}{}{}</div>', overview_table(numbers), steps, warning,
                problem_list(found)), steps


def problem_list(problems: Sequence[Problem]) -> Markup:
    """A folding part for every kind of problem; the serious ones are open."""
    if not problems:
        return html('<div class="darkroom-message good" role="status">No problems found.</div>')
    groups = [(kind, list(group)) for kind, group in groupby(problems[:MOST_SHOWN], key=lambda problem: problem.kind)]
    more = len(problems) - MOST_SHOWN
    rest = html('<div class="darkroom-faint">and {} more</div>', more) if more > 0 else NOTHING
    head = html('<div class="darkroom-warning" role="status"><b>{}</b></div>',
                counted(len(problems), "possible problem"))
    return joined([head, *(problem_group(kind, group) for kind, group in groups), rest])


def problem_group(kind: str, problems: list[Problem]) -> Markup:
    opened = " open" if kind in SERIOUS or len(problems) <= 3 else ""
    lines = joined(problem_line(problem) for problem in problems)
    return html('<details class="darkroom-finding"{}><summary>{} <b>{}</b></summary>{}</details>', opened, KINDS[kind],
                len(problems), lines)


def problem_line(problem: Problem) -> Markup:
    pictures = joined(small_picture(path) for path in (problem.path, problem.beside) if path)
    return html('<div class="darkroom-line">{}<span>{}</span></div>', pictures, problem.text)


def problems_at_start(run: Run, tokens: Tokens | None) -> Markup:
    return serious_problems(find_problems(run, tokens))


def serious_problems(problems: Sequence[Problem]) -> Markup:
    """The serious problems again, when training starts in spite of them: a line for each, and where to see the rest."""
    serious = [problem for problem in problems if problem.kind in SERIOUS]
    if not serious:
        return NOTHING
    lines = joined(html('<div class="darkroom-warning">{}</div>', problem.text) for problem in serious[:5])
    more = len(serious) - 5
    rest = html('<div class="darkroom-faint">and {} more; see Check before start in the Concepts tab.</div>', more)
    return html('<div role="status"><b>Training has started, but check these pictures:</b>{}{}</div>', lines,
                rest if more > 0 else NOTHING)
