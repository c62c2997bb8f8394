"""Names of saved files: versions, copies by step, and whether a name is free."""

import re
from collections.abc import Iterator, Set
from pathlib import Path

from ..compare.series import LAST, split_copy_name
from ..config.run import Run
from ..export.products import OutputFile, output_files
from ..host import Folders
from ..support.disk import files_in, matching


def saved_copies(part: OutputFile, folders: Folders, stem: str) -> list[Path]:
    """The copies by step of a name, the oldest first."""
    def is_copy(path: Path) -> bool:
        name, step = split_copy_name(path.name.removesuffix(part.suffix))
        return path.name.endswith(part.suffix) and name == stem and step != LAST

    return [path for path in matching(part.folder(folders), "*") if is_copy(path)]


def name_taken(run: Run, folders: Folders, own: Set[Path] = frozenset()) -> bool:
    """Whether a file exists that this run would write over: at its end, beside that, or as a copy by step that is not
    one of its workspace's own files."""
    parts = [(part, stem) for part in output_files(run) for stem in part.stems(run)]
    return any(file_exists(part.folder(folders), stem + part.suffix)
               or any(path.exists() for path in files_beside(part, folders, stem, own))
               or any(path not in own for path in saved_copies(part, folders, stem)) for part, stem in parts)


def foreign_files(run: Run, folders: Folders, own: Set[Path]) -> list[Path]:
    """The files that this run would write at its end and that its workspace has not written."""
    paths = [part.path(folders, stem) for part in output_files(run) for stem in part.stems(run)]
    return [path for path in paths if path.exists() and path not in own]


def files_beside(part: OutputFile, folders: Folders, stem: str, own: Set[Path]) -> Iterator[Path]:
    """What else is written with a file; nothing where the file is the workspace's own, and so is what lies beside."""
    path = part.path(folders, stem)
    return iter(()) if path in own else iter(part.beside(path))


def file_exists(folder: Path, name: str) -> bool:
    """Upper and lower case count as the same, as they do on Windows and macOS."""
    return any(path.name.lower() == name.lower() for path in files_in(folder))


def free_name(run: Run, folders: Folders, own: Set[Path] = frozenset()) -> str:
    """The first of ghost, ghost-v2, ghost-v3, ... that no file has."""
    if not name_taken(run, folders, own):
        return run.output.name
    stem, number = re.sub(r"-v\d+$", "", run.output.name), 2
    while name_taken(with_name(run, f"{stem}-v{number}"), folders, own):
        number += 1
    return f"{stem}-v{number}"


def with_name(run: Run, name: str) -> Run:
    return run.with_values({"output": {"name": name}})
