"""The commands of the queue: add, list, run, cancel, hold, retry."""

import argparse
import sys
import time
from pathlib import Path

from ..settings import SettingError
from ..support import toml
from . import studio
from .studio import say
from .training import parse_changes, read_run


def queue(given: argparse.Namespace, rest: list[str]) -> int:
    """Line up runs that are trained one after another, also after a restart."""
    if rest and given.act is not add:
        raise SettingError(f"Unknown arguments: {' '.join(rest)}")
    return given.act(given, rest)


def add(given: argparse.Namespace, rest: list[str]) -> int:
    """Add what TOML files describe; a sweep where a file has [sweep]."""
    from ..overnight.adding import add_run
    from ..overnight.sweep import add_sweep, axes_of
    from ..runs.start import Undecided, workspace_for

    here = studio.host()
    for path in given.run:
        run = read_run(path, parse_changes(rest), here, without=("sweep",))
        try:
            if sweep := toml.read_toml(path).get("sweep"):
                rows = add_sweep(run, here, workspace_for(run, here), axes_of(sweep))
            else:
                rows = [add_run(run, here, workspace_for(run, here), given.start or "")]
        except Undecided as undecided:
            answers = (f"  --start {choice.id}: {choice.text}" for choice in undecided.choices)
            say(undecided, *answers, to=sys.stderr)
            return 2
        say(*(f"{row.id}: {row.name}" + "".join(f", {key} {value}" for key, value in row.changes.items())
              for row in rows))
    return 0


def list_(given: argparse.Namespace, rest: list[str]) -> int:
    """Show the queue: what runs, what is next and what came out."""
    from ..overnight.expected import expectations
    from ..overnight.queue import queue_of
    from ..ui.views.job_view import duration

    folders = studio.host().folders
    rows = queue_of(folders).rows()
    for row, expected in zip(rows, expectations(rows, folders)):
        ends = time.strftime("%a %H:%M", time.localtime(expected.end)) if expected.end else ""
        takes = duration(expected.seconds) if expected.seconds is not None else ""
        parts = (f"{row.id:>4}", f"{row.state:<11}", f"{row.name:<24}", f"{row.method:<12}", f"{row.steps:>7} steps",
                 f"{takes:>10}", f"{ends:>9}", row.reason)
        say("  ".join(parts).rstrip())
    return 0


def run_(given: argparse.Namespace, rest: list[str]) -> int:
    """Train all that waits, one after another; the exit status is 1 when one failed."""
    from ..overnight.row import FAILED, RUNNING, Row
    from ..overnight.worker import Worker
    from ..runs.leaving import leave_at_end

    leave_at_end("SIGINT")
    failed: list[Row] = []

    def told(row: Row) -> None:
        say(f"{row.id}: {row.name} begins" if row.state == RUNNING else f"{row.id}: {row.name}: {row.reason}")
        failed.extend([row] if row.state == FAILED else [])

    Worker(studio.host(), permitted=True).run_all(told)
    return 1 if failed else 0


def cancel(given: argparse.Namespace, rest: list[str]) -> int:
    """Take runs out of the queue; what a running one has learned stays in its workspace."""
    return change(given, "cancel")


def hold(given: argparse.Namespace, rest: list[str]) -> int:
    """Set runs aside until they are to go on; a running one is kept after its step."""
    return change(given, "hold")


def retry(given: argparse.Namespace, rest: list[str]) -> int:
    """Let runs wait again that were set aside, failed or cancelled; they go on from what is kept."""
    return change(given, "again")


def change(given: argparse.Namespace, how: str) -> int:
    from ..overnight.queue import queue_of

    found = queue_of(studio.host().folders)
    for number in given.id:
        row = getattr(found, how)(number)
        say(f"{row.id}: {row.name} is {row.state}" + (", and ends after its step" if row.request else ""))
    return 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(required=True, metavar="ACT")
    for function in (add, list_, run_, cancel, hold, retry):
        act = acts.add_parser(function.__name__.strip("_"), help=function.__doc__, description=function.__doc__)
        act.set_defaults(act=function)
        if function is add:
            act.add_argument("run", type=Path, nargs="+", help="a TOML file; --section.setting VALUE changes what it "
                                                               "says")
            act.add_argument("--start", metavar="ID", help="how to start after an earlier training or beside an "
                                                      "existing file; the IDs are listed when one is needed")
        elif function in (cancel, hold, retry):
            act.add_argument("id", type=int, nargs="+", help="the number in the list")
