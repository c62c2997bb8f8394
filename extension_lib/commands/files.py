"""The commands about files and settings: import, convert, settings, practice."""

import argparse
import sys

from .. import imports
from ..config.run import all_sections, merge_values
from ..settings import options
from ..setup.practice import install
from ..support import toml
from .studio import say


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
    from ..models.convert import convert

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
