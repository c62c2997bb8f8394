"""kohya's folders: pictures in 10_name are seen ten times and called name; beside img, reg holds the class pictures."""

from pathlib import Path
from typing import Any

from ..config.run import Run
from ..data.listing import REPEATS
from ..settings import SettingError
from ..support.disk import is_folder, matching
from .translation import Imported


def translate(folder: Path) -> Imported:
    """One concept with these pictures. Raises SettingError when no folder here is named so."""
    folder = folder.absolute()
    pictures = next((place for place in (folder, folder / "img") if repeat_folders(place)), None)
    if pictures is None:
        raise SettingError(f"{folder} has no folders named 10_something, and no settings that are known. "
                           "Give a file of settings, or choose the folder in Concepts.")
    others = next((place for place in (folder / "reg", pictures.parent / "reg") if repeat_folders(place)), None)
    concept: dict[str, Any] = {"folder": str(pictures)}
    values: dict[str, Any] = {"method": {"name": Run().method.name}, "concepts": [concept]}
    dropped: list[str] = []
    if others:
        first, *more = repeat_folders(others)
        concept.update(class_folder=str(others), class_prompt=folder_title(first))
        values["prior"] = {"preserve": True}
        dropped = [
            f"{other}: class pictures have one name here, {folder_title(first)}." for other in more
            if folder_title(other) != folder_title(first)
        ]
    name = folder_title(pictures.name) if REPEATS.fullmatch(pictures.name) else folder.name
    return Imported(values, name, tuple(dropped))


def repeat_folders(folder: Path) -> list[str]:
    """The names of the form 10_name in this folder, or its own."""
    if not is_folder(folder):
        return []
    inside = [p.name for p in matching(folder, "*") if p.is_dir() and REPEATS.fullmatch(p.name)]
    return inside or ([folder.name] if REPEATS.fullmatch(folder.name) else [])


def folder_title(name: str) -> str:
    """kohya's rule: "10_zwx_ghost" is called "zwx ghost"."""
    match = REPEATS.fullmatch(name)
    return (match[2] if match else name).replace("_", " ").strip()
