"""The best cell of a grid: it becomes the card of its file."""

from dataclasses import dataclass, replace
from pathlib import Path

from ..export import card
from ..host import Folders
from ..support.disk import copy_file, read_if_there, write_bytes
from .saved_grids import NoGrid, SavedCell, SavedGrid
from .series import Series, find_series, replace_word

BACKUP = "before"  # in the grid's folder: the card's files as they were, to be put back


@dataclass(frozen=True)
class BestCard:
    """What the best cell made of a file's card."""

    file: Path
    weight: float
    words: str


def series_of(kept: SavedGrid, folders: Folders) -> Series:
    """Raises NoGrid when the files are gone."""
    for series in find_series(folders):
        if series.label == kept.label:
            return series
    raise NoGrid(f"The files of {kept.label} no longer exist.")


def choose_best(kept: SavedGrid, number: int, folders: Folders) -> tuple[SavedGrid, BestCard | None]:
    """Marks a cell as the best; its file's card gets its weight, its picture and the words to type.

    The base's cells have no card. Raises NoGrid, SaveError.
    """
    at = kept.at(number)
    kept = replace(kept, best=number)
    kept.write()
    if not at.cell.weight:
        return kept, None
    series = series_of(kept, folders)
    if at.cell.step not in series.steps:
        raise NoGrid(f"The copy of {kept.label} at step {at.cell.step} no longer exists.")
    path, picture = series.path(at.cell.step), series.picture(at.cell.step)
    back_up_files(kept.folder / BACKUP, path.with_suffix(".json"), picture)
    words = words_for(series, card.read_card(path.with_suffix(".json")).get("activation text") or "", at)
    card.set_preferred(path, at.cell.weight, words)
    card.write_card_picture(picture, kept.open(number))
    return kept, BestCard(path, at.cell.weight, words)


def words_for(series: Series, known: str, at: SavedCell) -> str:
    """The card's own words where the prompt holds them, else the prompt; learned words by their names at this step."""
    words = known if known and known.lower() in f"{at.cell.prompt}\n{at.called}".lower() else at.cell.prompt
    for word in series.words:
        words = replace_word(words, word, series.word_at_step(word, at.cell.step, 1.0))
    return words


def back_up_files(folder: Path, *files: Path) -> None:
    """Keeps the files as they were before the first choice; an absent one is remembered as an empty one."""
    for file in files:
        if not (folder / file.name).exists():
            write_bytes(folder / file.name, read_if_there(file) or b"")


def restore_cards(kept: SavedGrid, folders: Folders) -> list[Path]:
    """The cards as they were before any cell of this grid was chosen; the files that were put back.

    Raises NoGrid, SaveError.
    """
    series = series_of(kept, folders)
    done = []
    for step in series.steps:
        for file in (series.path(step).with_suffix(".json"), series.picture(step)):
            aside = kept.folder / BACKUP / file.name
            if aside.exists():
                restore_file(aside, file)
                done.append(file)
    replace(kept, best=-1).write()
    return done


def restore_file(aside: Path, file: Path) -> None:
    if aside.stat().st_size:
        copy_file(aside, file)
    else:
        file.unlink(missing_ok=True)
    aside.unlink()
