"""The command `files`: tools for LoRA files of any writer."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..methods.base import PRECISIONS
from ..settings import SettingError
from .studio import say

if TYPE_CHECKING:
    from ..files.combine import Part
    from ..files.describe import Description
    from ..files.progress import Progress, Tool
    from ..files.resize import Resized
    from ..files.singular import Keep

T = TypeVar("T")
LAYOUTS = ("kohya", "pt", "comfyui", "diffusers", "peft")  # of files/layouts.py, whose torch a parser need not import


def files(given: argparse.Namespace, rest: list[str]) -> int:
    """Tools for LoRA files of any program: show, check, edit, add, scale, merge, extract, resize, convert."""
    code: int = given.tool(given)
    return code


def add_tools(parser: argparse.ArgumentParser) -> None:
    """The tools and what each is told."""
    tools = parser.add_subparsers(required=True, metavar="TOOL")

    def tool(function: Callable[[argparse.Namespace], int], *names: str) -> argparse.ArgumentParser:
        made = tools.add_parser(function.__name__.strip("_"), help=function.__doc__, description=function.__doc__)
        made.set_defaults(tool=function)
        for name in names:
            OPTIONS[name](made)
        return made

    tool(show, "file", "base").add_argument("--picture", type=Path, metavar="SVG", help="a picture of the strength per "
                                            "block")
    tool(check, "file", "base")
    edited = tool(edit, "file")
    edited.add_argument("--name", help="a new name, without its ending; the card and the picture go along")
    edited.add_argument("--words", help="what to type to use it")
    edited.add_argument("--notes")
    edited.add_argument("--weight", type=float, help="the preferred weight on its card")
    edited.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="a field of its header; KEY= takes it out")
    tool(add, "files", "blocks", "base", "out", "precision")
    scaled = tool(scale, "file", "out", "precision")
    scaled.add_argument("--by", type=float, help="a factor; default: its preferred weight, so that it works at 1")
    tool(blocks, "file", "out", "precision").add_argument("weights", help="IN04:0.5,MID:0, or a row as lbw= takes it")
    merging = tool(merge, "files", "blocks", "out", "precision")
    merging.add_argument("--base", type=Path, required=True, help="the checkpoint")
    extracted = tool(extract, "keep", "out", "precision")
    extracted.add_argument("base", type=Path, help="the checkpoint that the other was made from")
    extracted.add_argument("tuned", type=Path, help="the checkpoint whose difference is wanted")
    tool(resize, "file", "keep", "base", "out", "precision")
    tool(convert, "file", "out", "precision").add_argument("--to", choices=LAYOUTS, default="kohya",
                                                            help="whose layout; default: kohya, for every WebUI")


def keep_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rank", type=int, help="keep at most so many singular values")
    parser.add_argument("--energy", type=float, help="keep as few as hold this share of the energy, such as 0.95")
    parser.add_argument("--error", type=float, help="keep as few as make at most this relative error, such as 0.01")
    parser.add_argument("--full", action="store_true", help="no rank: the difference of every weight, exact and large")


def base_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", type=Path, help="the checkpoint; needed for kinds that multiply its weights (OFT, "
                        "BOFT, (IA)3, DoRA, GLoRA)")


def out_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--overwrite", action="store_true", help="replace a file of that name")


OPTIONS: dict[str, Callable[[argparse.ArgumentParser], Any]] = {
    "file": lambda parser: parser.add_argument("file", type=Path),
    "files": lambda parser: parser.add_argument("files", nargs="+", metavar="FILE[:WEIGHT]"),
    "blocks": lambda parser: parser.add_argument("--blocks", action="append", default=[], help="weights of blocks, as "
                                                 "IN04:0.5,MID:0; the first --blocks is the first file's"),
    "precision": lambda parser: parser.add_argument("--precision", choices=PRECISIONS, default="",
                                                    help="default: as the file"),
    "keep": keep_options, "base": base_option, "out": out_options}


def show(given: argparse.Namespace) -> int:
    """Say what a file is: kind, family, rank, words, training settings, strength per block."""
    from ..files.describe import describe
    from ..ui.views.blocks_view import strength_svg

    found = followed(describe(given.file, given.base))
    say(*described(found))
    if given.picture:
        from ..support.disk import write_text

        write_text(given.picture, str(strength_svg(found.strength)))
        say(given.picture)
    return 0


def described(found: "Description") -> list[str]:
    """Lines."""
    facts = {
        "kind": counted(found.kinds), "family": found.family.title if found.family else "not told",
        "layout": found.layout, "read by": ", ".join(found.readers),
        "size": f"{found.size / 2**20:.1f} MiB", "rank": counted(found.ranks),
        "alpha": counted(found.alphas), "precision": counted(found.precisions), "layers": counted(found.parts),
        "trained on": found.base, "words": ", ".join(found.words), "frequent in captions": ", ".join(found.frequent),
        "notes": found.notes, "made by": found.made_by, **found.training}
    lines = [f"{name}: {value}" for name, value in facts.items() if value]
    most = max(found.strength.values(), default=0.0) or 1.0
    lines += [f"{block:>6} {value:10.4g} {'#' * round(40 * value / most)}" for block, value in found.strength.items()]
    if found.unknown:
        lines.append(f"The strength of {found.unknown} layers can be told with --base alone.")
    return lines


def counted(values: dict[Any, int]) -> str:
    """"4" where all are the same, else "16 (192), 8 (32)"."""
    return str(next(iter(values))) if len(values) == 1 else ", ".join(f"{value} ({n})" for value, n in values.items())


def check(given: argparse.Namespace) -> int:
    """Look for NaN, incomplete layers, and with --base for what has no place in the checkpoint."""
    from ..files.check import check as find

    found = followed(find(given.file, given.base))
    say(*(f"{one.layer}: {one.text}" if one.layer else one.text for one in found))
    say("Nothing is wrong with it." if not found else f"{len(found)} problems.")
    return 1 if found else 0


def edit(given: argparse.Namespace) -> int:
    """Rename a file and change its words, notes, preferred weight and header in place."""
    from ..files.edit import Edit
    from ..files.edit import edit as change

    fields = dict(field.split("=", 1) for field in given.set if "=" in field)
    if len(fields) < len(given.set):
        raise SettingError("--set takes KEY=VALUE.")
    say(change(Edit(given.file, given.name, given.words, given.notes, given.weight, fields)))
    return 0


def add(given: argparse.Namespace) -> int:
    """Add files up, each so many times, also -1 times. The result works as all of them together."""
    from ..files.combine import Sum, add_up

    say(followed(add_up(Sum(parts_of(given), given.out, given.base, given.precision, given.overwrite))))
    return 0


def scale(given: argparse.Namespace) -> int:
    """Make a file stronger or weaker, or make it work at weight 1."""
    from ..files.combine import Part, Sum, add_up
    from ..files.edit import preferred_weight

    factor = preferred_weight(given.file) if given.by is None else given.by
    say(f"Times {factor:g}")
    say(followed(add_up(Sum([Part(given.file, factor)], given.out, None, given.precision, given.overwrite, "scale"))))
    return 0


def blocks(given: argparse.Namespace) -> int:
    """Save a file with its blocks weighted."""
    from ..files.combine import Part, Sum, add_up

    part = Part(given.file, 1.0, given.weights)
    say(followed(add_up(Sum([part], given.out, None, given.precision, given.overwrite, "blocks"))))
    return 0


def merge(given: argparse.Namespace) -> int:
    """Merge files into a checkpoint."""
    from ..files.merge import Merge
    from ..files.merge import merge as into

    done = followed(into(Merge(given.base, parts_of(given), given.out, given.precision, given.overwrite)))
    say(done.path, f"{done.layers} layers were changed.")
    if done.unmatched:
        say(f"{len(done.unmatched)} layers of the files are not in the checkpoint, such as {done.unmatched[0]}.",
            to=sys.stderr)
    return 0


def extract(given: argparse.Namespace) -> int:
    """Make a LoRA of the difference of two checkpoints."""
    from ..files.extract import Extract
    from ..files.extract import extract as difference

    told = Extract(given.base, given.tuned, given.out, keep_of(given), given.precision or "fp16", given.overwrite)
    say_resized(followed(difference(told)))
    return 0


def resize(given: argparse.Namespace) -> int:
    """Give any kind of file another rank, as a LoRA that every program reads, or make it the difference in full."""
    from ..files.resize import Resize
    from ..files.resize import resize as change

    told = Resize(given.file, given.out, keep_of(given), given.base, given.precision, given.overwrite)
    say_resized(followed(change(told)))
    return 0


def convert(given: argparse.Namespace) -> int:
    """Write a file in the layout of another program, or in another precision."""
    from ..files.layouts import Conversion
    from ..files.layouts import convert as change

    say(*followed(change(Conversion(given.file, given.out, given.to, given.precision, given.overwrite))))
    return 0


def say_resized(done: "Resized") -> None:
    say(done.path)
    if done.ranks:
        say(f"The largest rank is {done.rank}; the relative error is {done.error:.3g}.")
    if done.left_out:
        say(f"{len(done.left_out)} layers change norms or biases, for which a LoRA has no place; that is left out.",
            to=sys.stderr)


def keep_of(given: argparse.Namespace) -> "Keep | None":
    """Raises SettingError, FileProblem."""
    from ..files.resize import parse_keep

    told = given.rank, given.energy, given.error
    if given.full:
        return None
    if told == (None, None, None):
        raise SettingError("Give --rank, --energy or --error, or --full for the difference of every weight.")
    return parse_keep(*told)


def parts_of(given: argparse.Namespace) -> "list[Part]":
    """The files of a command line, with their weights and blocks. Raises SettingError."""
    from ..files.combine import Part

    if len(given.blocks) > len(given.files):
        raise SettingError(f"--blocks is given {len(given.blocks)} times, for {len(given.files)} files.")
    blocks = [*given.blocks, *[""] * (len(given.files) - len(given.blocks))]
    return [Part(*split_weight(text), own) for text, own in zip(given.files, blocks)]


def split_weight(text: str) -> tuple[Path, float]:
    """"a.safetensors:-0.5"; on Windows a path has a colon too."""
    name, colon, weight = text.rpartition(":")
    try:
        return (Path(name), float(weight)) if colon else (Path(text), 1.0)
    except ValueError:
        return Path(text), 1.0


def followed(tool: "Tool[T]") -> T:
    """The result; in a terminal how far it is stands in one line, with the time left."""
    from ..files.progress import finished

    result = finished(tool, show_progress if sys.stderr.isatty() else lambda progress: None)
    if sys.stderr.isatty():
        say("", to=sys.stderr)
    return result


def show_progress(progress: "Progress") -> None:
    say(f"\r{progress.share:4.0%}, {progress.left:.0f} s left  ", to=sys.stderr, end="")

