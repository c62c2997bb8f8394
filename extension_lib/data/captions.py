"""From a picture's own caption and a concept's prompt to the text that is learned."""

import re
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from random import Random

from ..config.run import FILEWORDS, Data
from ..errors import DarkroomError
from ..support.disk import modified_time, read_if_there, write_bytes, write_text
from ..support.seeds import random_for
from .beside import file_beside
from .encodings import Decoded, decode, is_national, likely_encoding

NAME = "[name]"
ENDINGS = (".txt", ".caption", ".cap")  # of caption files; where there are several, the first counts
LONGEST = 100_000  # bytes of a file that may be a caption
ENOUGH = 20_000  # bytes by which an encoding is told


class CaptionError(DarkroomError, ValueError):
    """A caption that cannot be read; the message names it."""


def caption_file(picture: Path) -> Path:
    """Where the picture's caption is, or where it would be written."""
    return file_beside(picture, ENDINGS) or picture.with_suffix(ENDINGS[0])


def read_caption(picture: Path) -> str | None:
    """The text beside a picture, in one line; None without such a file. Raises CaptionError."""
    found = decode_caption(picture)
    return None if found is None else found.text


def decode_caption(picture: Path) -> Decoded | None:
    """The text beside a picture, in one line, and how its letters were read; None without such a file.

    Raises CaptionError.
    """
    held = read_caption_file(picture)
    if held is None:
        return None
    folder = picture.parent
    found = decode(held, usual_encoding(folder, modified_time(folder)) if is_national(held) else "")
    return Decoded(" ".join(found.text.split()), found.guessed)


@lru_cache(maxsize=64)
def usual_encoding(folder: Path, changed: float) -> str:
    """The encoding of a folder's captions, as far as they are not UTF-8: together they tell it better than one alone.

    changed: when the folder was changed last.
    """
    together = b""
    with suppress(OSError):  # what vanishes or is locked meanwhile does not count
        for path in sorted(folder.iterdir()):
            if len(together) < ENOUGH and path.suffix.lower() in ENDINGS and path.stat().st_size <= LONGEST:
                held = path.read_bytes()
                together += held + b"\n" if is_national(held) else b""
    return likely_encoding(together) if together else ""


def read_caption_file(picture: Path) -> bytes | None:
    """The file beside a picture as it is; None without one. Raises CaptionError."""
    path = caption_file(picture)
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > LONGEST:
            raise CaptionError(f"{path.name} is too large for a caption. Remove it, or write a shorter one.")
        return read_if_there(path)
    except OSError as error:
        raise CaptionError(f"The caption {path.name} cannot be read: {error.strerror}.") from error


def write_caption(picture: Path, text: str) -> None:
    """Writes the text beside a picture, whole or not at all. Raises SaveError."""
    write_text(caption_file(picture), " ".join(text.split()) + "\n")


def restore_caption_file(picture: Path, held: bytes | None) -> None:
    """The file beside a picture as it was; None takes it away. Raises SaveError."""
    if held is None:
        caption_file(picture).unlink(missing_ok=True)
    else:
        write_bytes(caption_file(picture), held)


def caption_or_file_name(picture: Path, fallback: str = "") -> str:
    """The text beside a picture; without one the fallback, or the file's name made readable."""
    text = read_caption(picture)
    if text is not None:
        return text
    return fallback or re.sub(r"[-_\d\s]+", " ", picture.stem).strip()


def fill_prompt(instance_prompt: str, caption: str, word: str = "") -> str:
    """The concept's prompt with the picture's caption and the concept's word put in; an empty prompt means the
    caption alone.
    """
    text = (instance_prompt or FILEWORDS).replace(FILEWORDS, caption).replace(NAME, word)
    return re.sub(r"(\s*,)+\s*$|^\s*(,\s*)+", "", text).strip()


def without_word(word: str, caption: str) -> str:
    """A caption without its rare word: what it says of others of the same kind."""
    rest = re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])\s*", "", caption, flags=re.IGNORECASE) if word else caption
    return re.sub(r",(\s*,)+", ",", rest)


def vary_prompt(texts: tuple[str, ...], data: Data, *key: object) -> str:
    """One of the texts as one step sees it: perhaps left out, perhaps its tags shuffled and fewer; the same for the
    same key.
    """
    rng = random_for("caption", *key)
    text = rng.choice(texts) if len(texts) > 1 else texts[0]
    if rng.random() < data.caption_dropout:
        return ""
    if data.shuffle_captions:
        text = shuffle_tags(text, data.keep_first, rng)
    return drop_tags(text, data.keep_first, data.tag_dropout, rng) if data.tag_dropout else text


def split_tags(text: str) -> list[str]:
    """The comma-separated parts of a caption: its tags."""
    return [part.strip() for part in text.split(",")]


def shuffle_tags(text: str, keep_first: int, rng: Random) -> str:
    head, tail = split_tags(text)[:keep_first], split_tags(text)[keep_first:]
    rng.shuffle(tail)
    return ", ".join(head + tail)


def drop_tags(text: str, keep_first: int, share: float, rng: Random) -> str:
    """Without some of its tags, each of them left out as often as share says."""
    head, tail = split_tags(text)[:keep_first], split_tags(text)[keep_first:]
    return ", ".join(head + [tag for tag in tail if rng.random() >= share])
