"""The check before the start as HTML: a table of what will be trained, and the problems, each beside its pictures.

The page imports it only for a check, because the doctor takes time to import.
"""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from ...config.run import Run
from ...data.doctor import KINDS, SERIOUS, Problem, find_problems
from ...data.overview import advice, overview
from ...data.trigger_word import Tokens
from .data_url import small_picture
from .overview_table import overview_table, totals
from .plural import counted

MOST_SHOWN = 60  # problems that are listed; of more only the number


def check_report(run: Run, tokens: Tokens | None) -> str:
    """Raises SettingError and FolderError where the run has no pictures to check."""
    numbers, hint = overview(run), advice(run)
    warning = f'<div class="darkroom-warning" role="status">{escape(hint)}</div>' if hint else ""
    problems = problem_list(find_problems(run, tokens))
    return f'<div class="darkroom-check">{overview_table(numbers)}{totals(numbers)}{warning}{problems}</div>'


def problem_list(problems: Sequence[Problem]) -> str:
    """A folding part for every kind of problem; the serious ones are open."""
    if not problems:
        return '<div class="darkroom-message good" role="status">No problems found.</div>'
    groups = [(kind, list(group)) for kind, group in groupby(problems[:MOST_SHOWN], key=lambda problem: problem.kind)]
    more = len(problems) - MOST_SHOWN
    rest = f'<div class="darkroom-faint">and {more} more</div>' if more > 0 else ""
    head = f'<div class="darkroom-warning" role="status"><b>{counted(len(problems), "possible problem")}</b></div>'
    return head + "".join(problem_group(kind, group) for kind, group in groups) + rest


def problem_group(kind: str, problems: list[Problem]) -> str:
    opened = " open" if kind in SERIOUS or len(problems) <= 3 else ""
    lines = "".join(problem_line(problem) for problem in problems)
    return (f'<details class="darkroom-finding"{opened}><summary>{KINDS[kind]} <b>{len(problems)}</b></summary>'
            f"{lines}</details>")


def problem_line(problem: Problem) -> str:
    pictures = "".join(small_picture(path) for path in (problem.path, problem.beside) if path)
    return f'<div class="darkroom-line">{pictures}<span>{escape(problem.text)}</span></div>'


def problems_at_start(run: Run, tokens: Tokens | None) -> str:
    return serious_problems(find_problems(run, tokens))


def serious_problems(problems: Sequence[Problem]) -> str:
    """The serious problems again, when training starts in spite of them: a line for each, and where to see the rest."""
    serious = [problem for problem in problems if problem.kind in SERIOUS]
    lines = "".join(f'<div class="darkroom-warning">{escape(problem.text)}</div>' for problem in serious[:5])
    more = len(serious) - 5
    advice = f"and {more} more; see Check before start in the Concepts tab."
    rest = f'<div class="darkroom-faint">{advice}</div>' if more > 0 else ""
    head = "<b>Training has started, but check these pictures:</b>"
    return f'<div role="status">{head}{lines}{rest}</div>' if serious else ""
