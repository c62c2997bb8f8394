"""A sweep: the same run with every combination of some values, as one group of the queue."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, product
from typing import Any

from .. import methods
from ..config.run import SECTIONS, Concept, Run, to_dict
from ..host import Host
from ..settings import LINES, Option, SettingError, brief, check_value, options, shown
from ..support.disk import write_text
from ..workspaces.workspace import SWEEPS, Workspace
from .adding import add_run, require_possible
from .queue import queue_of
from .row import Row

MOST = 200  # runs of a sweep
METHOD = "method.name"
VARIED = ("method", "training", "data", "noise", "prior")  # sections whose settings the page offers


@dataclass(frozen=True)
class Axis:
    """A setting, such as training.seed, and its values."""

    key: str
    values: tuple[Any, ...]


def axes_of(values: Any) -> tuple[Axis, ...]:
    """Of a file's [sweep.SECTION] with a list for each setting. Raises SettingError."""
    if not isinstance(values, Mapping) or not all(isinstance(part, Mapping) for part in values.values()):
        raise SettingError("sweep must be sections of settings: write [sweep.training], then seed = [0, 1].")
    axes = [axis(f"{section}.{name}", listed) for section, part in values.items() for name, listed in part.items()]
    return checked(axes)


def axis(key: str, values: Any) -> Axis:
    if not isinstance(values, (list, tuple)) or not values:
        raise SettingError(f"sweep.{brief(key)} is {shown(values)}, but must be a list of values, such as [0, 1].")
    return Axis(key, tuple(dict.fromkeys(check_value(setting(key), value, key) for value in values)))


def parse_axis(key: str, text: str) -> Axis:
    """Values as a person types them: apart by commas; folders and texts by semicolons or lines. Raises SettingError."""
    is_text = setting(key).kind in (str, LINES) and not setting(key).choices
    parts = re.split(r"[;\n]+" if is_text else r"[,;\n]+", text or "")
    return axis(key, [part.strip() for part in parts if part.strip()])


def checked(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """The axes. Raises SettingError for a setting that is named twice, for none, and for too many runs."""
    keys = [axis.key for axis in axes]
    if not axes:
        raise SettingError("A sweep varies at least one setting. Choose one and write its values.")
    if len(set(keys)) < len(keys):
        raise SettingError("A sweep names a setting twice. Write all of its values in one place.")
    if (runs := run_count(axes)) > MOST:
        raise SettingError(f"A sweep of {runs} runs is too large; {MOST} are the most. Leave out some values.")
    return tuple(sorted(axes, key=lambda axis: axis.key != METHOD))  # another method has other settings


def run_count(axes: Sequence[Axis]) -> int:
    runs = 1
    for one in axes:
        runs *= len(one.values)
    return runs


def setting(key: str) -> Option:
    """Raises SettingError for a setting that no sweep can vary."""
    section, _, name = key.partition(".")
    if key == METHOD:
        return Option("name", str, "lora", "", "Method", choices=tuple(methods.all_methods()))
    for owner in owners(section):
        for option in options(owner):
            if option.name == name:
                return option
    raise SettingError(f"{brief(key)} is not a setting that a sweep can vary. Write it as training.seed.")


def owners(section: str) -> list[type]:
    if section == "method":
        return list(methods.all_methods().values())
    if section == "concepts":
        return [Concept]
    return [SECTIONS[section]] if section in SECTIONS and section not in ("output", "base") else []


def offered() -> Iterator[tuple[str, str]]:
    """(label, key) of the settings that the page offers, each label once, the usual ones first."""
    seen = set()
    for key in (METHOD, "method.unet_rate", "method.text_rate", "method.rank", "training.steps", "training.seed",
                "concepts.folder", *(f"{section}.{option.name}" for section in VARIED for owner in owners(section)
                                     for option in options(owner))):
        label = setting(key).label
        if label not in seen:
            seen.add(label)
            yield label, key


def combinations(axes: Sequence[Axis]) -> Iterator[dict[str, Any]]:
    for values in product(*(axis.values for axis in axes)):
        yield {axis.key: value for axis, value in zip(axes, values)}


def with_changes(run: Run, changes: Mapping[str, Any]) -> Run:
    """Raises SettingError."""
    for key, value in changes.items():
        section, name = key.split(".")
        if section == "method" and name != "name" and name not in {o.name for o in options(run.method)}:
            raise SettingError(f"{run.method.title} has no setting {key}. Leave that method out, or the setting.")
        if section == "concepts":
            first, *others = to_dict(run)["concepts"] or [{}]
            run = run.with_values({"concepts": [{**first, name: value}, *others]})
        else:
            run = run.with_values({section: {name: value}})
    return run


def runs_of(run: Run, axes: Sequence[Axis]) -> list[tuple[dict[str, Any], Run]]:
    """What is changed, and the run. Raises SettingError."""
    return [(changes, with_changes(run, changes)) for changes in combinations(axes)]


def add_sweep(run: Run, host: Host, workspace: Workspace, axes: Sequence[Axis]) -> list[Row]:
    """Adds all runs as one group, each in a workspace of its own. All are checked before one is added.

    Raises SettingError, HostError, WorkspaceError, QueueError.
    """
    runs = runs_of(run, checked(axes))
    for _, one in runs:
        require_possible(one, host)
    name = new_name(host, workspace)
    return [add_run(one, host, workspace, own=True, sweep=name, varied=changes) for changes, one in runs]


def new_name(host: Host, workspace: Workspace) -> str:
    """A name that no sweep has, noted in a folder of its own with the workspace that it is for."""
    used = {row.sweep for row in queue_of(host.folders).rows()}
    folder = host.folders.workspaces / SWEEPS
    names = (f"{workspace.name}-{n}" for n in count(1))
    name = next(name for name in names if not (folder / name).exists() and name not in used)
    write_text(folder / name / OF, workspace.name)
    return name


OF = "workspace.txt"  # in a sweep's folder: the workspace that the best one may go to
