"""A table whose cells are kept as they end, under a hash of settings and code, so that one can interrupt a long run."""

import ast
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from extension_lib.config.run import Run, to_dict
from extension_lib.support.disk import write_text

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
DATA = ("base.safetensors", "judge.safetensors", "judge.json", "subjects")


def depends_on(*names: str) -> set[Path]:
    """The files of these modules and of all of this project that they import, directly or not."""
    found: set[Path] = set()
    waiting = [path for name in names if (path := file_of(name))]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += filter(None, map(file_of, imported(path)))
    return found


def file_of(module: str) -> Path | None:
    """A module's or a package's file; None for what is not this project's."""
    path = ROOT.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def imported(path: Path) -> Iterator[str]:
    """The full names of what a file imports; also of names that are no modules."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package[:len(package) - node.level + 1] if node.level else ()
            module = ".".join((*parts, *([node.module] if node.module else [])))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def hash_of_code(method: str) -> str:
    """Of all that decides what a method learns and how it is judged; comments and layout are no matter."""
    digest = hashlib.sha256()
    for path in sorted(depends_on("toyland.trial", f"extension_lib.methods.{method}")):
        digest.update(ast.unparse(ast.parse(path.read_text(encoding="utf-8"))).encode())
    for file in sorted(file for name in DATA
                       for file in [ROOT / "toyland" / name, *(ROOT / "toyland" / name).rglob("*")]):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def mean_of(values: Iterable[float | None]) -> str:
    """The rounded mean of those that are known; a dash where none is, as of a run that had to wait for others."""
    known = [v for v in values if v is not None]
    return f"{sum(known) / len(known):.0f}" if known else "–"


def strip(images: list[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (sum(i.width for i in images), images[0].height))
    for n, image in enumerate(images):
        sheet.paste(image, (n * image.width, 0))
    return sheet


def write_parts(page: Path, parts: dict[str, list[str]]) -> None:
    """Puts generated lines into a page, each part between its two marks; what people wrote around them stays."""
    text = page.read_text(encoding="utf-8")
    for name, lines in parts.items():
        begin, end = (f"<!-- {mark} {name}: made by a benchmark -->" for mark in ("begin", "end"))
        before, _, rest = text.partition(begin)
        if end not in rest:
            raise ValueError(f"{page} lacks the marks {begin!r} and {end!r}.")
        text = "\n".join([before + begin, "", *lines, "", end + rest.partition(end)[2]])
    write_text(page, text)


def table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> list[str]:
    """Of Markdown."""
    first, *rows = [list(head), *map(list, lines)]
    return [f"| {' | '.join(row)} |" for row in (first, ["---"] * len(first), *rows)]


class Table:
    """Cells by name in a JSON file, which several programs may fill at once."""

    def __init__(self, path: Path):
        self.path = path

    @property
    def cells(self) -> dict[str, Any]:
        return json.loads(self.path.read_text(encoding="utf-8"))["cells"] if self.path.exists() else {}

    def cell(self, name: str, run: Run, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The kept cell of this name if settings and code are the same; else it is made, and written at once."""
        # where pictures lie is no matter
        settings = {**to_dict(run), "concepts": sorted({c.class_prompt for c in run.concepts})}
        said = json.dumps(settings, sort_keys=True, default=str) + hash_of_code(run.method.name)
        key = hashlib.sha256(said.encode()).hexdigest()[:16]
        known = self.cells.get(name, {})
        if known.get("key") == key:
            return known
        made = {"key": key, **make()}
        write_text(self.path, json.dumps({"cells": {**self.cells, name: made}}, indent=1) + "\n")
        return made
