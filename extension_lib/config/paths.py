"""Paths that a file of settings names: one that is not absolute is looked for beside the file, then in the working
folder.
"""

from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

from ..support.disk import exists, is_file, path_from_text
from .run import FOLDERS


def path_beside(file: Path, text: Any) -> Path:
    """The absolute path of a file or folder that a file of settings names; beside it where there is none yet."""
    path = path_from_text(str(text).strip().strip('"'))
    if path.is_absolute() or PureWindowsPath(path).is_absolute():  # Windows' paths stay as they are elsewhere too
        return path
    beside, here = (file.parent / path).absolute(), path.absolute()
    return here if exists(here) and not exists(beside) else beside


def checkpoint_beside(file: Path, text: str) -> str:
    """The path of a checkpoint where there is such a file; else the text as it is: the title of one."""
    path = path_beside(file, text)
    return str(path) if text and is_file(path) else text


def with_absolute_paths(values: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """A run's loose values with the paths in them made absolute. What is not a path is left for the check."""
    out, base, concepts = dict(values), values.get("base"), values.get("concepts")
    if isinstance(base, Mapping) and isinstance(base.get("checkpoint"), str):
        out["base"] = {**base, "checkpoint": checkpoint_beside(file, base["checkpoint"])}
    if isinstance(concepts, (list, tuple)):
        out["concepts"] = [with_absolute_folders(c, file) if isinstance(c, Mapping) else c for c in concepts]
    return out


def with_absolute_folders(concept: Mapping[str, Any], file: Path) -> dict[str, Any]:
    return {name: str(path_beside(file, value)) if name in FOLDERS and isinstance(value, str) and value else value
            for name, value in concept.items()}
