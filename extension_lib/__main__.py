"""The way in without a WebUI: app, train, check, draw, compare, import, settings, practice."""

import argparse
import io
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import imports
from .config.paths import with_absolute_paths
from .config.presets import defaults, drawing_run
from .config.run import OLD_ANSWERS, Run, all_sections, from_dict, merge_values
from .errors import DarkroomError
from .host import HostError, Picture, find_checkpoint
from .settings import SettingError, options
from .setup.practice import install
from .support import toml
from .support.disk import SaveError
from .training.guard import Guard

if TYPE_CHECKING:
    from .hosts.standalone import Standalone

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported: idle threads would spin
HOME = Path(os.environ.get("DARKROOM_HOME") or Path(__file__).resolve().parents[1] / "studio")
PICTURE_OPTIONS = {"steps": int, "width": int, "height": int, "cfg": float, "sampler": str}  # a checkpoint has its own


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status: 2 for what a person can put right, 1 for a failure."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that a file's encoding lacks must not end a run
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options_, rest = parser().parse_known_args(arguments)
    if rest and options_.function not in (train, check):
        print(f"Unknown arguments: {' '.join(rest)}", file=sys.stderr)
        return 2
    name = options_.function.__name__.strip("_")
    with Guard(f"The command {name}") as guard:
        return run_command(options_, rest)
    print(f"{name} failed: {guard.reason}. The lines above say where.", file=sys.stderr)
    return 1


def run_command(given: argparse.Namespace, rest: list[str]) -> int:
    try:
        return given.function(given, rest)
    except DarkroomError as error:
        print(error, file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog="python -m extension_lib", description="Darkroom without a WebUI.")
    commands = whole.add_subparsers(required=True, metavar="COMMAND")

    def command(function: Any) -> argparse.ArgumentParser:
        name = function.__name__.strip("_")
        subcommand = commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        subcommand.set_defaults(function=function)
        return subcommand

    served = command(app)
    served.add_argument("--port", type=int, default=7861)
    served.add_argument("--listen", action="store_true", help="let other machines in your network use it too")
    for function in (train, check):
        subcommand = command(function)
        subcommand.add_argument("run", type=Path, help="a TOML file; --section.setting VALUE changes what it says")
        if function is train:
            subcommand.add_argument("--start", metavar="ID", help="how to start after an earlier training or beside an "
                                                            "existing file; the IDs are listed when one is needed")
    for function, out in ((draw, "drawn.png"), (compare, "compared.png")):
        subcommand = command(function)
        subcommand.add_argument("prompt", help="may contain <lora:name:weight>")
        subcommand.add_argument("--checkpoint", default="", help="its title or path; default: the practice model")
        subcommand.add_argument("--out", type=Path, default=Path(out))
        for name, kind in PICTURE_OPTIONS.items():
            subcommand.add_argument(f"--{name}", type=kind, help="default: what suits the checkpoint")
        subcommand.add_argument("--seed", type=int, default=0)
        subcommand.add_argument("--negative", default="")
        if function is compare:
            subcommand.add_argument("--lora", required=True, help="its name; all its copies by step are compared")
            subcommand.add_argument("--weights", default="0, 0.25, 0.5, 0.75, 1")
    subcommand = command(import_)
    subcommand.add_argument("file", type=Path,
                            help="kohya's dataset TOML, kohya_ss' JSON, a db_config.json, or a folder")
    subcommand.add_argument("run", type=Path, nargs="?", help="the TOML file to write; default: print it")
    command(settings)
    command(practice).add_argument("folder", type=Path, help="the WebUI's models/Stable-diffusion")
    return whole


def app(given: argparse.Namespace, rest: list[str]) -> int:
    """Serve the pages on this machine."""
    from .ui.app import serve

    serve(host(), given.port, given.listen)
    return 0


def train(given: argparse.Namespace, rest: list[str]) -> int:
    """Train what a TOML file describes."""
    from .runs.start import Undecided, start_run, workspace_for

    here = host()
    run = read_run(given.run, parse_changes(rest), here)
    try:
        job = start_run(run, here, workspace_for(run, here), given.start or "")
    except Undecided as undecided:
        answers = (f"  --start {choice.id}: {choice.text}" for choice in undecided.choices)
        print(undecided, *answers, sep="\n", file=sys.stderr)
        return 2
    follow(job)
    if job.thread:
        job.thread.join()  # an interpreter that ends while a thread frees its tensors aborts
    return 1 if job.ended and job.ended.failed else 0


def check(given: argparse.Namespace, rest: list[str]) -> int:
    """Show what a TOML file would train, and check its pictures; the exit status is 1 when there are problems."""
    from .data.doctor import find_problems
    from .data.overview import overview

    run = read_run(given.run, parse_changes(rest), host())
    view = overview(run)
    print(f"{view.pictures} pictures, {view.showings} showings and {view.per_epoch:g} steps in an epoch, "
          f"{view.epochs:.1f} epochs")
    for part in view.parts:
        print("  " + ", ".join(f"{n} in {width}x{height}" for (width, height), n in part.sizes))
        print(*(f"  {item.path.name}: {prompt}" for item, prompt in part.prompts), sep="\n")
    problems = find_problems(run)
    print(*(problem.text for problem in problems), sep="\n")
    return 1 if problems else 0


def read_run(path: Path, changed: dict[str, Any], here: "Standalone") -> Run:
    """The file's settings over the checkpoint's preset, with the command line's changes over both."""
    values = merge_values(with_absolute_paths(toml.read_toml(path), path), changed)
    asked = from_dict(values)
    base = asked.base.checkpoint
    return defaults(asked.method.name, find_checkpoint(here, base).preset if base else None).with_values(values)


def parse_changes(rest: list[str]) -> dict[str, Any]:
    """--training.steps 5 --method.rank=8 as nested values. Raises SettingError."""
    out: dict[str, Any] = {}
    words = [part for word in rest for part in (word.split("=", 1) if word.startswith("--") else [word])]
    if len(words) % 2:
        raise SettingError(f"{words[-1]} has no value. Write --section.setting VALUE.")
    for flag, value in zip(words[::2], words[1::2]):
        section, dot, name = flag.removeprefix("--").partition(".")
        if not flag.startswith("--") or not dot:
            raise SettingError(f"{flag} is not a setting. Write --section.setting VALUE, such as --training.steps 500.")
        if section == "output" and name in OLD_ANSWERS:  # in a file it is left out; typed, it would have no effect
            raise SettingError(f"{flag} is no longer a setting. Use --start; a start that needs an answer lists them.")
        out.setdefault(section, {})[name] = value
    return out


def follow(job: Any) -> None:
    """Prints what happens until the job has ended; Ctrl-C stops it."""
    from .events import Alarmed, Ended, Saved, Warned
    from .ui.views.job_view import duration

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
                print(event.message, flush=True)
            elif isinstance(event, Alarmed):
                print(f"Step {event.step}: {event.message} {event.remedy}", flush=True)
            elif isinstance(event, Saved):
                print(f"Saved {event.path}", flush=True)
            elif isinstance(event, Ended):
                print(event.why, flush=True)
        if ended:
            return
        left = job.seconds_left()
        if left is not None and sys.stderr.isatty():
            print(f"\rStep {job.step} of {job.run.training.steps}, {duration(left)} left  ", end="", file=sys.stderr)


def draw(given: argparse.Namespace, rest: list[str]) -> int:
    """Draw one picture."""
    require_writable(given.out)
    here = host()
    if given.checkpoint:
        here.load(find_checkpoint(here, given.checkpoint))
    here.draw([picture(given, here)])[0].save(given.out)
    print(given.out)
    return 0


def compare(given: argparse.Namespace, rest: list[str]) -> int:
    """Draw LoRA weight against training step."""
    from .compare.grid import GridPlan, parse_seeds, parse_weights
    from .compare.series import find_series
    from .compare.sheet import draw_sheet

    require_writable(given.out)
    here = host()
    if given.checkpoint:
        here.load(find_checkpoint(here, given.checkpoint))
    series = next((s for s in find_series(here.folders) if s.label == given.lora), None)
    if series is None:
        raise HostError(f"There is no LoRA {given.lora} in {here.folders.lora}.")
    plan = GridPlan(series, parse_weights(given.weights), (given.prompt, ), parse_seeds(str(given.seed)),
                    picture(given, here))
    draw_sheet(plan, here).save(given.out)
    print(given.out)
    return 0


def picture(given: argparse.Namespace, here: "Standalone") -> Picture:
    """The picture of the command line; what is not given is as in the checkpoint's previews."""
    run = drawing_run(here)
    side, previews = run.data.resolution, run.previews
    values: dict[str, Any] = {"steps": previews.preview_steps, "width": side, "height": side, "cfg": previews.cfg,
                              "sampler": previews.sampler}
    values |= {name: getattr(given, name) for name in PICTURE_OPTIONS if getattr(given, name) is not None}
    return Picture(given.prompt, given.negative, seed=given.seed, clip_skip=run.data.clip_skip, **values)


def require_writable(path: Path) -> None:
    """Raises SaveError where no picture can be written."""
    from PIL import Image

    if not path.parent.is_dir():
        raise SaveError(f"There is no folder {path.parent} to write {path.name} into. Create it, or choose another "
                        "--out.")
    if Image.registered_extensions().get(path.suffix.lower()) not in Image.SAVE:
        raise SaveError(f"{path.name} does not end as a picture that can be written. Call it {path.stem}.png.")


def import_(given: argparse.Namespace, rest: list[str]) -> int:
    """Convert another trainer's settings to a run's TOML; what could not be converted is listed on stderr."""
    imported = imports.read_settings(given.file)
    values = merge_values({"output": {"name": imported.name}}, imported.values)
    if given.run:
        toml.write_toml(given.run, values)
    else:
        print(toml.dump_toml(values))
    for line in imported.dropped:
        print(line, file=sys.stderr)
    return 0


def settings(given: argparse.Namespace, rest: list[str]) -> int:
    """List every setting with its default and meaning."""
    for section, cls in all_sections().items():
        print(f"\n[{section}]")
        for option in options(cls):
            print(f"  {option.name} = {option.default!r}\n      {option.help}")
    return 0


def practice(given: argparse.Namespace, rest: list[str]) -> int:
    """Install the practice model into a WebUI."""
    print(install(given.folder))
    return 0


def host() -> "Standalone":
    from .hosts.standalone import Standalone

    return Standalone(HOME)


if __name__ == "__main__":
    sys.exit(main())
