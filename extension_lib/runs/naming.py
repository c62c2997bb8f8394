"""Names of saved files: versions, copies by step, and whether a name is free."""

import re
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


def name_taken(run: Run, folders: Folders) -> bool:
    """Whether a file exists that this run would write at its end."""
    return any(file_exists(part.folder(folders), stem + part.suffix)
               for part in output_files(run) for stem in part.stems(run))


def file_exists(folder: Path, name: str) -> bool:
    """Upper and lower case count as the same, as they do on Windows and macOS."""
    return any(path.name.lower() == name.lower() for path in files_in(folder))


def free_name(run: Run, folders: Folders) -> str:
    """The first of ghost, ghost-v2, ghost-v3, ... that no file has."""
    if not name_taken(run, folders):
        return run.output.name
    stem, number = re.sub(r"-v\d+$", "", run.output.name), 2
    while name_taken(with_name(run, f"{stem}-v{number}"), folders):
        number += 1
    return f"{stem}-v{number}"


def with_name(run: Run, name: str) -> Run:
    return run.with_values({"output": {"name": name}})
