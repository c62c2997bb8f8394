"""The commands that train, and that check what would be trained."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.paths import with_absolute_paths
from ..config.presets import checkpoint_of, suitable
from ..config.run import OLD_ANSWERS, Run, from_dict, merge_values, new_words_of, require_startable
from ..host import Checkpoint, find_checkpoint
from ..settings import SettingError, brief
from ..support import toml
from . import studio
from .studio import say

if TYPE_CHECKING:
    from ..data.folder import ConceptPictures
    from ..hosts.standalone import Standalone
    from ..runs.fit import Fit
    from ..training.ranks import Ranks
    from ..workspaces.workspace import Workspace


def train(given: argparse.Namespace, rest: list[str]) -> int:
    """Train what a TOML file describes; started by accelerate or torchrun, with all their processes."""
    from ..events import Ended
    from ..training.ranks import joined

    ranks = joined()
    if not ranks.leads:
        return follow_rank(ranks)
    try:
        return lead(given, rest, ranks)
    finally:
        ranks.end(Ended(0, "Process 0 has ended."))


def lead(given: argparse.Namespace, rest: list[str], ranks: "Ranks") -> int:
    """Trains, alone or with those that follow."""
    from ..runs.leaving import leave_at_end
    from ..runs.start import Undecided, start_run, workspace_for

    leave_at_end()
    here = studio.host()
    run = read_run(given.run, parse_changes(rest), here)
    try:
        job = start_run(run, here, workspace_for(run, here), given.start or "", ranks)
    except Undecided as undecided:
        answers = (f"  --start {choice.id}: {choice.text}" for choice in undecided.choices)
        say(undecided, *answers, to=sys.stderr)
        return 2
    if ranks.together:
        say(ranks.shown(job.run))
    follow(job)
    if job.thread:
        job.thread.join()  # an interpreter that ends while a thread frees its tensors aborts
    return 1 if job.ended and job.ended.failed else 0


def follow_rank(ranks: "Ranks") -> int:
    """Trains on its share of what number 0 trains. Raises RankError."""
    from ..data.folder import find_all_pictures
    from ..runs.session import Session
    from ..training.ranks import Task
    from ..workspaces.workspace import Log

    task = ranks.hear()
    if isinstance(task, Task):
        session = Session(task.run, studio.host(), task.workspace, task.checkpoint, Log(task.workspace.folder),
                          restart=task.restart, ranks=ranks)
        for _ in session.run_on_borrowed_model(find_all_pictures(task.run)):
            pass  # number 0 tells of it
    return 0


def check(given: argparse.Namespace, rest: list[str]) -> int:
    """Ask all that train asks, show what would be trained, and check the pictures; the exit status is 1 when there are
    problems."""
    from ..data.doctor import find_problems, unreadable_pictures
    from ..data.overview import overview

    here = studio.host()
    run = read_run(given.run, parse_changes(rest), here)
    warnings = ask_before_start(run, here)
    problems = find_problems(run, here.tokens())
    view = overview(run, unreadable_pictures(problems))
    say(f"{view.pictures} pictures, {view.showings} showings and {view.per_epoch:g} steps in an epoch, "
        f"{view.epochs:.1f} epochs")
    for part in view.parts:
        say("  " + ", ".join(f"{n} in {width}x{height}" for (width, height), n in part.sizes),
            *(f"  {item.path.name}: {prompt}" for item, prompt in part.prompts))
    say(*warnings, *(problem.text for problem in problems))
    return 1 if problems or warnings else 0


def ask_before_start(run: Run, here: "Standalone") -> list[str]:
    """What train would warn of before its first step, in its order. Raises a DarkroomError where it could not start."""
    from ..data.folder import find_all_pictures
    from ..export.products import require_writable
    from ..runs.preflight import require_folders
    from ..runs.start import Undecided, choices, require_training
    from ..workspaces.workspace import Workspace

    require_training(here)
    checkpoint = checkpoint_of(run.base, here)
    run = require_startable(run)
    workspace = Workspace(here.folders.workspaces / run.output.name)
    if answers := choices(run, here, workspace):
        say(Undecided(run.output.name, answers), *(f"  train --start {choice.id}: {choice.text}" for choice in answers))
    require_writable(run, here.folders, checkpoint.path)
    require_folders(run, here.folders, workspace)
    return [*here.advice(checkpoint), *ask_model(run, here, workspace, checkpoint, find_all_pictures(run))]


def ask_model(run: Run, here: "Standalone", workspace: "Workspace", checkpoint: Checkpoint,
              found: "list[ConceptPictures]") -> list[str]:
    """What has to be asked of the borrowed model: its tokens, its layers, and how large what is trained would be."""
    from ..events import Warned
    from ..runs.class_pictures import prepare_class_pictures
    from ..runs.fit import fit_of
    from ..runs.preflight import require_in_backward, require_room
    from ..runs.session import require_learnable, unlearned_end

    words = new_words_of(run) if run.method.product.learns_words else ()
    not_drawn = replace(run, concepts=tuple(c for c in run.concepts if c.class_folder or not c.class_prompt))
    with here.borrow(checkpoint) as model:
        items = [item for one in found for item in one.items]
        said = [*unlearned_end(run, model), *require_learnable(words, items, model),
                *prepare_class_pictures(not_drawn, found, checkpoint, here)]
        fit = fit_of(run, model, items, words)
        say(*memory_lines(fit))
        said += [] if fit.fits else [Warned(fit.warning)]
        trainable = run.method.attach(model, run.training.seed, words)
        try:
            require_in_backward(run, model)
            require_room(run, here.folders, workspace, trainable, checkpoint.path)
        finally:
            trainable.detach()
    return [event.message for event in said if isinstance(event, Warned)]


def plan(given: argparse.Namespace, rest: list[str]) -> int:
    """Say how much memory what a TOML file describes takes, and what makes it fit; the exit status is 1 when it does
    not."""
    from ..runs.fit import fit_on

    here = studio.host()
    fit = fit_on(here, read_run(given.run, parse_changes(rest), here))
    say(*memory_lines(fit))
    return 0 if fit.fits else 1


def memory_lines(fit: "Fit") -> list[str]:
    """How much memory a run takes, for what, and what makes it fit."""
    from ..memory import amount

    return [fit.verdict, *(f"{amount(size):>10} {title}" for title, size in fit.plan.parts),
            *(f"{change.remedy.text}: saves {amount(change.saves)}, {change.remedy.cost}" for change in fit.changes)]


def read_run(path: Path, changed: dict[str, Any], here: "Standalone", without: tuple[str, ...] = ()) -> Run:
    """The file's settings over the checkpoint's preset, with the command line's changes over both. without: sections of
    the file that are no settings."""
    said = {name: value for name, value in toml.read_toml(path).items() if name not in without}
    values = merge_values(with_absolute_paths(said, path), changed)
    asked = from_dict(values)
    if asked.base.checkpoint:
        find_checkpoint(here, asked.base.checkpoint)  # must exist
    return suitable(here, asked.method.name, asked.base).with_values(values)


def parse_changes(rest: list[str]) -> dict[str, Any]:
    """--training.steps 5 --method.rank=8 as nested values. Raises SettingError."""
    out: dict[str, Any] = {}
    words = [part for word in rest for part in (word.split("=", 1) if word.startswith("--") else [word])]
    if len(words) % 2:
        raise SettingError(f"{brief(words[-1])} has no value. Write --section.setting VALUE.")
    for flag, value in zip(words[::2], words[1::2]):
        section, dot, name = flag.removeprefix("--").partition(".")
        if not flag.startswith("--") or not dot:
            raise SettingError(f"{brief(flag)} is not a setting. Write --section.setting VALUE, such as "
                               "--training.steps 500.")
        if section == "output" and name in OLD_ANSWERS:  # in a file it is left out; typed, it would have no effect
            raise SettingError(f"{flag} is no longer a setting. Use --start; a start that needs an answer lists them.")
        out.setdefault(section, {})[name] = value
    return out


def follow(job: Any) -> None:
    """Prints what happens until the job has ended; Ctrl-C stops it."""
    from ..events import Alarmed, Ended, Saved, Warned
    from ..ui.views.job_view import duration

    printed = 0
    while True:
        try:
            ended = job.wait(timeout=1.0)
        except KeyboardInterrupt:
            job.stop("Stopped by Ctrl-C.")
            continue
        new, printed = job.events_after(printed)
        for event in new:
            if isinstance(event, Warned):
                say(event.message)
            elif isinstance(event, Alarmed):
                say(f"Step {event.step}: {event.message} {event.remedy}")
            elif isinstance(event, Saved):
                say(f"Saved {event.path}")
            elif isinstance(event, Ended):
                say(event.why)
        if ended:
            return
        left = job.seconds_left()
        if left is not None and sys.stderr.isatty():
            say(f"\rStep {job.step} of {job.run.training.steps}, {duration(left)} left  ", to=sys.stderr, end="")
