"""kohya's folders: pictures in 10_name are seen ten times and called name; beside img, reg holds the class pictures."""

from pathlib import Path
from typing import Any

from ..config.run import Run
from ..data.folder import REPEATS
from ..settings import SettingError
from ..support.disk import matching
from .reading import Imported


def translated(folder: Path) -> Imported:
    """One concept with these pictures. Raises SettingError when no folder here is named so."""
    pictures = next((place for place in (folder, folder / "img") if counted(place)), None)
    if pictures is None:
        raise SettingError(f"{folder} has no folders named 10_something, and no settings that are known. "
                           "Give a file of settings, or choose the folder in Concepts.")
    others = next((place for place in (folder / "reg", pictures.parent / "reg") if counted(place)), None)
    concept: dict[str, Any] = {"folder": str(pictures)}
    values: dict[str, Any] = {"method": {"name": Run().method.name}, "concepts": [concept]}
    lost: list[str] = []
    if others:
        first, *more = counted(others)
        concept.update(class_folder=str(others), class_prompt=called(first))
        values["prior"] = {"preserve": True}
        lost = [f"{other}: class pictures have one name here, {called(first)}." for other in more if called(other) != called(first)]
    name = called(pictures.name) if REPEATS.fullmatch(pictures.name) else folder.name
    return Imported(values, name, tuple(lost))


def counted(folder: Path) -> list[str]:
    """The names of the form 10_name in this folder, or its own."""
    if not folder.is_dir():
        return []
    inside = [p.name for p in matching(folder, "*") if p.is_dir() and REPEATS.fullmatch(p.name)]
    return inside or ([folder.name] if REPEATS.fullmatch(folder.name) else [])


def called(name: str) -> str:
    """kohya's rule: "10_zwx_ghost" is called "zwx ghost"."""
    match = REPEATS.fullmatch(name)
    return (match[2] if match else name).replace("_", " ").strip()
