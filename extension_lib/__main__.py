"""The way in without a WebUI: app, train, queue, plan, check, draw, compare, import, convert, files, settings,
practice.
"""

import argparse
import io
import logging
import os
import sys
from pathlib import Path
from typing import Any

from .commands.drawing import PICTURE_OPTIONS, compare, draw
from .commands.files import convert, import_, practice, settings
from .commands.queue import add_arguments, queue
from .commands.serving import app
from .commands.studio import say, stop_talking
from .commands.tools import add_tools, files
from .commands.training import check, plan, train
from .errors import DarkroomError
from .settings import brief
from .training.guard import Guard

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported: idle threads would spin


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the exit status: 2 for what a person can put right, 1 for a failure."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name that a file's encoding lacks must not end a run
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options_, rest = parser().parse_known_args(arguments)
    if rest and options_.function not in (train, plan, check, queue):
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
    for function in (train, plan, check):
        subcommand = command(function)
        subcommand.add_argument("run", type=Path, help="a TOML file; --section.setting VALUE changes what it says")
        if function is train:
            subcommand.add_argument("--start", metavar="ID", help="how to start after an earlier training or beside an "
                                                            "existing file; the IDs are listed when one is needed")
    add_arguments(command(queue))
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
    add_tools(command(files))
    command(settings)
    command(practice).add_argument("folder", type=Path, help="the WebUI's models/Stable-diffusion")
    return whole


if __name__ == "__main__":
    sys.exit(main())
