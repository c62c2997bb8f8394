"""From a picture's own caption and a concept's prompt to the text that is learned."""

import codecs
import locale
import re
from pathlib import Path
from random import Random

from ..config.run import FILEWORDS, Data
from ..support.disk import read_if_there, write_bytes, write_text
from ..support.seeds import random_for

NAME = "[name]"


def read_caption(picture: Path) -> str | None:
    """The text beside a picture; None without such a file."""
    held = read_caption_file(picture)
    return None if held is None else decode_text(held).strip()


def read_caption_file(picture: Path) -> bytes | None:
    """The file beside a picture as it is; None without one."""
    return read_if_there(picture.with_suffix(".txt"))


def decode_text(held: bytes) -> str:
    """UTF-8, or what older programs of Windows write: UTF-16 with its mark, or the letters of the country."""
    if held.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return held.decode("utf-16", errors="replace")
    try:
        return held.decode("utf-8-sig")
    except UnicodeDecodeError:
        country = locale.getpreferredencoding(False)
        return held.decode("cp1252" if codecs.lookup(country).name == "utf-8" else country, errors="replace")


def write_caption(picture: Path, text: str) -> None:
    """Writes the text beside a picture, whole or not at all. Raises SaveError."""
    write_text(picture.with_suffix(".txt"), " ".join(text.split()) + "\n")


def restore_caption_file(picture: Path, held: bytes | None) -> None:
    """The file beside a picture as it was; None takes it away. Raises SaveError."""
    if held is None:
        picture.with_suffix(".txt").unlink(missing_ok=True)
    else:
        write_bytes(picture.with_suffix(".txt"), held)


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
    """One of the texts as one step sees it: perhaps left out, perhaps its parts shuffled; the same for the same key."""
    rng = random_for("caption", *key)
    text = rng.choice(texts) if len(texts) > 1 else texts[0]
    if rng.random() < data.caption_dropout:
        return ""
    if not data.shuffle_captions:
        return text
    return shuffle_tags(text, data.keep_first, rng)


def split_tags(text: str) -> list[str]:
    """The comma-separated parts of a caption: its tags."""
    return [part.strip() for part in text.split(",")]


def shuffle_tags(text: str, keep_first: int, rng: Random) -> str:
    head, tail = split_tags(text)[:keep_first], split_tags(text)[keep_first:]
    rng.shuffle(tail)
    return ", ".join(head + tail)
