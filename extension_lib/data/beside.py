"""Files that lie beside a picture and bear its name, however their endings are spelt."""

from collections.abc import Iterable
from pathlib import Path


def file_beside(picture: Path, endings: Iterable[str]) -> Path | None:
    """The first file whose name is the picture's with one of these endings in place of its own: ".txt" finds ".TXT".

    The usual spellings are asked for one by one, because listing a large folder for every picture takes too long.
    """
    for ending in endings:
        before, _, kind = ending.rpartition(".")
        for spelt in (kind, kind.upper(), kind.capitalize()):
            path = picture.with_name(f"{picture.stem}{before}.{spelt}")
            if path.is_file():
                return path
    return None
