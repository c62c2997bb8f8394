"""A table whose cells are kept as they end, under a hash of settings and code, so that a long measurement can be interrupted."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from extension_lib.disk import write_text
from extension_lib.run import Run, to_dict

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
CODE = ("methods", "training", "diffusion", "data", "hosts")
DATA = ("base.safetensors", "judge.safetensors", "judge.json", "subjects")


def hash_of_code() -> str:
    """Of all that decides what a run learns and how it is judged."""
    digest = hashlib.sha256()
    paths = [*(ROOT / "extension_lib" / name for name in CODE), *(ROOT / "toyland" / name for name in DATA)]
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(file.read_bytes())
    return digest.hexdigest()


class Table:
    """Cells by name in a JSON file."""

    def __init__(self, path: Path):
        self.path, self.code = path, hash_of_code()
        self.cells: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["cells"] if path.exists() else {}

    def cell(self, name: str, run: Run, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The kept cell of this name when settings and code are the same; else it is made, and the file written at once."""
        settings = {**to_dict(run), "concepts": sorted({c.class_prompt for c in run.concepts})}  # where pictures lie is no matter
        key = hashlib.sha256((json.dumps(settings, sort_keys=True, default=str) + self.code).encode()).hexdigest()[:16]
        if self.cells.get(name, {}).get("key") != key:
            self.cells[name] = {"key": key, **make()}
            write_text(self.path, json.dumps({"cells": self.cells}, indent=1) + "\n")
        return self.cells[name]
