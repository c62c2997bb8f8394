"""The way in without a WebUI: app, train, check, draw, compare, import, convert, settings, practice."""

import argparse
import io
import logging
import os
import secrets
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import imports
from .config.paths import with_absolute_paths
from .config.presets import defaults, drawing_run
from .config.run import OLD_ANSWERS, Run, all_sections, from_dict, merge_values, new_words_of, require_startable
from .errors import DarkroomError
from .host import LARGEST_SEED, Checkpoint, HostError, Picture, find_checkpoint, require_drawable
from .settings import SettingError, brief, options
from .setup.practice import install
from .support import toml
from .support.disk import SaveError, is_folder, replacing
from .training.guard import Guard

if TYPE_CHECKING:
    from .data.folder import ConceptPictures
    from .hosts.standalone import Standalone
    from .ui.door import Login
    from .workspaces.workspace import Workspace

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
        say(f"Unknown arguments: {brief(' '.join(rest))}", to=sys.stderr)
        return 2
    name = options_.function.__name__.strip("_")
    with Guard(f"The command {name}") as guard:
        return run_command(options_, rest)
    say(f"{name} failed: {guard.reason}. The lines above say where.", to=sys.stderr)
    return 1


def run_command(given: argparse.Namespace, rest: list[str]) -> int:
    try:
        return given.function(given, rest)
    except DarkroomError as error:
        say(error, to=sys.stderr)
        return 2
    except BrokenPipeError:  # of a print; say() goes on
        stop_talking(sys.stdout)
        return 1


def say(*lines: object, to: Any = None, end: str = "\n") -> None:
    """Prints at once. Where nobody reads on, as in `| head`, the rest is not said and the work goes on."""
    stream = to or sys.stdout
    try:
        print(*lines, sep="\n", end=end, file=stream, flush=True)
    except BrokenPipeError:
        stop_talking(stream)


def stop_talking(stream: Any) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
    served.add_argument("--listen", action="store_true", help="let other machines in your network use it too, with a "
                                                              "password")
    served.add_argument("--auth", metavar="USER:PASSWORD", help="default with --listen: a new password, which is shown")
    served.add_argument("--folder", type=Path, action="append", default=[], help="the page may read pictures in this "
                        "folder, and in no other but its own; default: any folder, with --listen none")
    served.add_argument("--name", action="append", default=[], help="a name of this machine by which browsers may "
                        "call the page, such as that of a proxy")
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
        subcommand.add_argument("--seed", type=int, default=0, help="-1: a new one, which is shown")
        subcommand.add_argument("--negative", default="")
        if function is compare:
            subcommand.add_argument("--lora", required=True, help="its name; all its copies by step are compared")
            subcommand.add_argument("--weights", default="0, 0.25, 0.5, 0.75, 1")
    subcommand = command(import_)
    subcommand.add_argument("file", type=Path,
                            help="sd-scripts' or a dataset's TOML, kohya_ss' JSON, a db_config.json, or a folder")
    subcommand.add_argument("run", type=Path, nargs="?", help="the TOML file to write; default: print it")
    subcommand = command(convert)
    subcommand.add_argument("file", type=Path, help="a .ckpt, or a file with averaged weights alone")
    subcommand.add_argument("out", type=Path, nargs="?", help="default: the same name, with .safetensors")
    command(settings)
    command(practice).add_argument("folder", type=Path, help="the WebUI's models/Stable-diffusion")
    return whole


def app(given: argparse.Namespace, rest: list[str]) -> int:
    """Serve the pages on this machine."""
    from .runs.leaving import leave_at_end
    from .ui.app import serve

    leave_at_end()
    if not 1 <= given.port <= 65535:
        raise SettingError(f"--port is {given.port}, but must be 1 to 65535.")
    here = host()
    if given.listen or given.folder:
        here.folders = replace(here.folders, named=tuple(existing_folder(folder) for folder in given.folder))
    serve(here, given.port, given.listen, login(given), frozenset(given.name))
    return 0


def existing_folder(path: Path) -> Path:
    if not is_folder(path):
        raise SettingError(f"There is no folder {path}. Name one with --folder that the page may read.")
    return path.absolute()


def login(given: argparse.Namespace) -> "Login | None":
    """What is asked of those who come in: always something where other machines may. Raises SettingError."""
    from .ui.door import SHORTEST, Login

    if given.auth is None and not given.listen:
        return None
    if given.auth is None:
        made = Login("darkroom", secrets.token_urlsafe(12))
        say(f"Log in as {made.user} with the password {made.password}")
        return made
    user, colon, password = given.auth.partition(":")
    if not user or len(password) < SHORTEST:
        raise SettingError(f"--auth must be USER:PASSWORD, with a password of {SHORTEST} or more letters.")
    return Login(user, password)


def train(given: argparse.Namespace, rest: list[str]) -> int:
    """Train what a TOML file describes."""
    from .runs.leaving import leave_at_end
    from .runs.start import Undecided, start_run, workspace_for

    leave_at_end()
    here = host()
    run = read_run(given.run, parse_changes(rest), here)
    try:
        job = start_run(run, here, workspace_for(run, here), given.start or "")
    except Undecided as undecided:
        answers = (f"  --start {choice.id}: {choice.text}" for choice in undecided.choices)
        say(undecided, *answers, to=sys.stderr)
        return 2
    follow(job)
    if job.thread:
        job.thread.join()  # an interpreter that ends while a thread frees its tensors aborts
    return 1 if job.ended and job.ended.failed else 0


def check(given: argparse.Namespace, rest: list[str]) -> int:
    """Ask all that train asks, show what would be trained, and check the pictures; the exit status is 1 when there are
    problems."""
    from .data.doctor import find_problems, unreadable_pictures
    from .data.overview import overview

    here = host()
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
    from .data.folder import find_all_pictures
    from .export.products import require_writable
    from .runs.preflight import require_folders
    from .runs.start import Undecided, choices, require_training
    from .workspaces.workspace import Workspace

    require_training(here)
    checkpoint = find_checkpoint(here, run.base.checkpoint)
    run = require_startable(run)
    workspace = Workspace(here.folders.workspaces / run.output.name)
    if answers := choices(run, here, workspace):
        say(Undecided(run.output.name, answers), *(f"  train --start {choice.id}: {choice.text}" for choice in answers))
    require_writable(run, here.folders, checkpoint.path)
    require_folders(run, here.folders, workspace)
    return ask_model(run, here, workspace, checkpoint, find_all_pictures(run))


def ask_model(run: Run, here: "Standalone", workspace: "Workspace", checkpoint: Checkpoint,
              found: "list[ConceptPictures]") -> list[str]:
    """What has to be asked of the borrowed model: its tokens, its layers, and how large what is trained would be."""
    from .events import Warned
    from .runs.class_pictures import prepare_class_pictures
    from .runs.preflight import require_room
    from .runs.session import require_learnable

    words = new_words_of(run) if run.method.product.learns_words else ()
    not_drawn = replace(run, concepts=tuple(c for c in run.concepts if c.class_folder or not c.class_prompt))
    with here.borrow(checkpoint) as model:
        said = [*require_learnable(words, [item for one in found for item in one.items], model),
                *prepare_class_pictures(not_drawn, found, checkpoint, here)]
        trainable = run.method.attach(model, run.training.seed, words)
        try:
            require_room(run, here.folders, workspace, trainable, checkpoint.path)
        finally:
            trainable.detach()
    return [event.message for event in said if isinstance(event, Warned)]


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


def draw(given: argparse.Namespace, rest: list[str]) -> int:
    """Draw one picture."""
    require_writable(given.out)
    here = host()
    if given.checkpoint:
        here.load(find_checkpoint(here, given.checkpoint))
    save_picture(here.draw([picture(given, here)])[0], given.out)
    return 0


def compare(given: argparse.Namespace, rest: list[str]) -> int:
    """Draw LoRA weight against training step."""
    from .compare.grid import GridPlan, parse_weights
    from .compare.series import find_series
    from .compare.sheet import draw_sheet

    require_writable(given.out)
    here = host()
    if given.checkpoint:
        here.load(find_checkpoint(here, given.checkpoint))
    series = next((s for s in find_series(here.folders) if s.label == given.lora), None)
    if series is None:
        raise HostError(f"There is no LoRA {given.lora} in {here.folders.lora}.")
    drawn = picture(given, here)
    plan = GridPlan(series, parse_weights(given.weights), (given.prompt, ), (drawn.seed, ), drawn)
    save_picture(draw_sheet(plan, here), given.out)
    return 0


def save_picture(image: Any, path: Path) -> None:
    """Raises SaveError."""
    from PIL import Image

    with replacing(path) as part:
        image.save(part, Image.registered_extensions()[path.suffix.lower()])
    say(path)


def picture(given: argparse.Namespace, here: "Standalone") -> Picture:
    """The picture of the command line; what is not given is as in the checkpoint's previews. Raises HostError."""
    run = drawing_run(here)
    side, previews = run.data.resolution, run.previews
    values: dict[str, Any] = {"steps": previews.preview_steps, "width": side, "height": side, "cfg": previews.cfg,
                              "sampler": previews.sampler}
    values |= {name: getattr(given, name) for name in PICTURE_OPTIONS if getattr(given, name) is not None}
    seed = given.seed if given.seed != -1 else secrets.randbelow(LARGEST_SEED + 1)
    drawn = require_drawable(Picture(given.prompt, given.negative, seed=seed, clip_skip=run.data.clip_skip, **values))
    if given.seed == -1:
        say(f"Seed {seed}")
    return drawn


def require_writable(path: Path) -> None:
    """Raises SaveError where no picture can be written."""
    from PIL import Image

    if not is_folder(path.parent):
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
        say(toml.dump_toml(values))
    for line in imported.dropped:
        say(line, to=sys.stderr)
    return 0


def convert(given: argparse.Namespace, rest: list[str]) -> int:
    """Make a safetensors file of a checkpoint in an older format. Nothing in it is run."""
    from .models.convert import convert

    print(convert(given.file, given.out))
    return 0


def settings(given: argparse.Namespace, rest: list[str]) -> int:
    """List every setting with its default and meaning."""
    for section, cls in all_sections().items():
        say(f"\n[{section}]", *(f"  {o.name} = {o.default!r}\n      {o.help}" for o in options(cls)))
    return 0


def practice(given: argparse.Namespace, rest: list[str]) -> int:
    """Install the practice model into a WebUI."""
    say(install(given.folder))
    return 0


def host() -> "Standalone":
    from .hosts.standalone import Standalone

    return Standalone(HOME)


if __name__ == "__main__":
    sys.exit(main())
