"""What came out of a sweep: a table of its runs, a grid with the same prompts and seeds, and the best of them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..compare.series import LAST, TAGGED, Series, find_series
from ..config.presets import checkpoint_of
from ..config.run import Run
from ..data.folder import find_all_pictures
from ..export.products import output_files
from ..host import LARGEST_SEED, Folders, Host, Picture, drawable_side
from ..runs.naming import foreign_files
from ..support.disk import SaveError, copy_file, matching, read_if_there, replacing, write_text
from ..support.json_text import is_number, parse_json
from ..training.guard import Guard
from ..workspaces.past import is_whole
from ..workspaces.saved_files import saved_files
from ..workspaces.workspace import SWEEPS, Workspace, open_workspace
from .queue import QueueError
from .row import DONE, PENDING, Row
from .sweep import OF

TABLE = "sweep.json"  # in a sweep's folder, when it is over
SEEDS = 2  # pictures of each prompt


@dataclass(frozen=True)
class Result:
    """A run of a sweep. loss: the lowest that was measured; pictures: files in the sweep's folder, by prompt and seed.

    on: runs compare where this is the same.
    """

    id: int
    name: str
    workspace: str
    changes: dict[str, Any]
    state: str
    reason: str = ""
    loss: float | None = None
    step: int | None = None
    held_out: bool = False
    on: str = ""
    seconds: float = 0.0
    size: int = 0  # bytes of its files
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """A sweep that is over. best: the number of its best run; -1 where that cannot be said."""

    name: str
    workspace: str
    results: tuple[Result, ...]
    prompts: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    best: int = -1
    problem: str = ""  # why pictures are missing
    folder: Path = field(default=Path(), compare=False)


def over(rows: Sequence[Row], folders: Folders) -> list[str]:
    """The sweeps whose runs are all over and that have no table yet."""
    pending = {row.sweep for row in rows if row.state in PENDING}
    names = dict.fromkeys(row.sweep for row in rows if row.sweep and row.sweep not in pending)
    return [name for name in names if not (folder_of(name, folders) / TABLE).exists()]


def folder_of(name: str, folders: Folders) -> Path:
    return folders.workspaces / SWEEPS / name


def conclude(name: str, rows: Sequence[Row], host: Host) -> Outcome:
    """Draws the grid and writes the table. Pictures that cannot be drawn are left out, with the reason."""
    own = sorted((row for row in rows if row.sweep == name), key=lambda row: row.id)
    folder = folder_of(name, host.folders)
    results = [result_of(row, host.folders) for row in own]
    prompts: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    with Guard(f"The grid of the sweep {name}") as guard:
        prompts, seeds, results = draw_all(own, results, host, folder)
    problem = guard.reason if guard.error else ""
    done = Outcome(name, of_workspace(folder), tuple(results), prompts, seeds, best_of(results), problem, folder)
    written = {key: value for key, value in asdict(done).items() if key != "folder"}
    write_text(folder / TABLE, json.dumps(written, ensure_ascii=False, indent=1))
    return done


def of_workspace(folder: Path) -> str:
    return (read_if_there(folder / OF) or b"").decode("utf-8", "replace")


def result_of(row: Row, folders: Folders) -> Result:
    """By the logs of all its starts."""
    space = Workspace(folders.workspaces / row.workspace)
    lines = [line for log in space.logs() for line in log.read_lines() if line and is_whole(line)]
    measured = [line for line in lines if line["what"] == "measured"]
    best = min(measured, key=lambda line: line["loss"], default=None)
    files = {Path(str(line.get("path"))) for line in lines if line["what"] == "saved"} if row.state == DONE else set()
    return Result(row.id, row.name, row.workspace, dict(row.changes), row.state, row.reason,
                  best["loss"] if best else None, best["step"] if best else None,
                  bool(best and best.get("held_out")), str(best.get("on", "")) if best else "", row.seconds,
                  sum(path.stat().st_size for path in files if path.exists() and path.stem in final_stems(row)))


def final_stems(row: Row) -> set[str]:
    run = row.run()
    return {stem for part in output_files(run) for stem in part.stems(run)}


def best_of(results: Sequence[Result]) -> int:
    """The number of the one with the lowest loss on held-out pictures; -1 where they do not compare."""
    compared = [result for result in results if result.state == DONE and result.loss is not None and result.held_out]
    if len(compared) < 2 or len({result.on for result in compared}) > 1:
        return -1
    return min(compared, key=lambda result: result.loss or 0.0).id


def draw_all(rows: Sequence[Row], results: Sequence[Result], host: Host, folder: Path
             ) -> tuple[tuple[str, ...], tuple[int, ...], list[Result]]:
    """All with the first run's prompts, seeds and settings of previews. Raises DarkroomError."""
    done = [row for row in rows if row.state == DONE]
    if not done:
        return (), (), list(results)
    first = done[0].run()
    prompts = first.previews.prompts or (find_all_pictures(first)[0].items[0].prompt,)
    seeds = tuple((first.previews.preview_seed + n) % (LARGEST_SEED + 1) for n in range(SEEDS))
    drawn: dict[int, tuple[str, ...]] = {}
    for row in done:
        if series := series_of(row, host.folders):
            drawn[row.id] = tuple(draw_row(row, series, first, prompts, seeds, host, folder))
    return prompts, seeds, [replace(result, pictures=drawn.get(result.id, ())) for result in results]


def series_of(row: Row, folders: Folders) -> Series | None:
    """The file that a prompt calls; None where it is a checkpoint."""
    stems = final_stems(row)
    found = [series for series in find_series(folders) if series.name in stems]
    return min(found, key=lambda series: series.kind not in TAGGED, default=None)


def draw_row(row: Row, series: Series, first: Run, prompts: Sequence[str], seeds: Sequence[int], host: Host,
             folder: Path) -> Iterator[str]:
    side, previews = drawable_side(first.data.resolution), first.previews
    pictures = [Picture(series.prompt_for(prompt, LAST, 1.0), steps=previews.preview_steps, cfg=previews.cfg,
                        width=side, height=side, seed=seed, sampler=previews.sampler, clip_skip=first.data.clip_skip)
                for prompt in prompts for seed in seeds]
    with host.borrow(checkpoint_of(row.run().base, host)):  # the one that it was trained on, whichever is loaded
        images = host.draw(pictures)
    for number, image in enumerate(images):
        name = f"{row.id}-{number}.png"
        with replacing(folder / name) as part:
            image.save(part, "PNG")
        yield name


def read_outcome(name: str, folders: Folders) -> Outcome | None:
    """None where there is no whole table."""
    folder = folder_of(name, folders)
    try:
        values = parse_json(read_if_there(folder / TABLE) or b"")
        results = tuple(Result(**{**one, "pictures": tuple(map(str, one["pictures"]))}) for one in values["results"])
        kept = Outcome(str(values["name"]), str(values["workspace"]), results, tuple(map(str, values["prompts"])),
                       tuple(map(int, values["seeds"])), int(values["best"]), str(values["problem"]), folder)
        sound = all(isinstance(one.changes, dict) and is_number(one.seconds) and is_number(one.size)
                    and (one.loss is None or is_number(one.loss)) for one in results)
    except (ValueError, KeyError, TypeError):
        return None
    return kept if sound else None


def sweep_names(folders: Folders) -> list[str]:
    """Those that are over, the newest first."""
    found = matching(folders.workspaces / SWEEPS, f"*/{TABLE}")
    return [path.parent.name for path in sorted(found, key=lambda path: -path.stat().st_mtime)]


def use(outcome: Outcome, id: int, host: Host) -> list[Path]:
    """Makes a run's files those of the workspace that the sweep was made for, and its settings too.

    Raises QueueError, SaveError, WorkspaceError, SettingError.
    """
    chosen = next((result for result in outcome.results if result.id == id and result.state == DONE), None)
    if chosen is None:
        raise QueueError(f"There is no run {id} that is done in this sweep.")
    root = host.folders.workspaces
    space, source = open_workspace(root, outcome.workspace), open_workspace(root, chosen.workspace)
    run, before = source.read_run(), space.read_run()
    own = run.with_values({"output": {"name": before.output.name}, "base": {"checkpoint": run.base.checkpoint}})
    if foreign := foreign_files(own, host.folders, saved_files(space)):
        raise SaveError(f"{foreign[0].name} is not of the workspace {space.name}. Rename it, or the workspace's "
                        "output.")
    copied = list(copy_files(run, own, host))
    space.save_run(own)
    log = space.new_log()
    log.save_run(own)
    for path in copied:
        log.write_line("saved", step=chosen.step or 0, path=str(path))
    log.write_line("ended", step=0, why=f"Chosen from a sweep: {chosen.name}.", failed=False, discarded=False,
                   leaving=False)
    host.refresh()
    return copied


def copy_files(run: Run, own: Run, host: Host) -> Iterator[Path]:
    files = [(part, stem, new) for part in output_files(run) for stem, new in zip(part.stems(run), part.stems(own))]
    for part, stem, new in files:
        source, target = part.path(host.folders, stem), part.path(host.folders, new)
        if not source.exists():
            raise SaveError(f"The file {source.name} is no longer there.")
        host.forget(target)
        copy_file(source, target)
        for beside, other in zip(part.beside(source), part.beside(target)):
            if beside.exists():
                copy_file(beside, other)
        yield target
