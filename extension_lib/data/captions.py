"""From a picture's own caption and a concept's prompt to the text that is learned."""

import re
from pathlib import Path
from random import Random

from ..disk import write_text
from ..keyed import keyed_random
from ..run import FILEWORDS, Data

NAME = "[name]"


def written_caption(picture: Path) -> str | None:
    """The text beside a picture; None without such a file."""
    text = picture.with_suffix(".txt")
    return text.read_text(encoding="utf-8-sig", errors="replace").strip() if text.exists() else None


def write_caption(picture: Path, text: str | None) -> None:
    """Writes the text beside a picture, whole or not at all; None takes the file away. Raises SaveError."""
    if text is None:
        picture.with_suffix(".txt").unlink(missing_ok=True)
    else:
        write_text(picture.with_suffix(".txt"), " ".join(text.split()) + "\n")


def own_caption(picture: Path, fallback: str = "") -> str:
    """The text beside a picture; without one the fallback, or the file's name made readable."""
    text = written_caption(picture)
    if text is not None:
        return text
    return fallback or re.sub(r"[-_\d\s]+", " ", picture.stem).strip()


def prompt(instance_prompt: str, caption: str, word: str = "") -> str:
    """The concept's prompt with the picture's caption and the concept's word put in; an empty prompt means the caption alone."""
    text = (instance_prompt or FILEWORDS).replace(FILEWORDS, caption).replace(NAME, word)
    return re.sub(r"(\s*,)+\s*$|^\s*(,\s*)+", "", text).strip()


def without(word: str, caption: str) -> str:
    """A caption without its rare word: what it says of others of the same kind."""
    rest = re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])\s*", "", caption, flags=re.IGNORECASE) if word else caption
    return re.sub(r",(\s*,)+", ",", rest)


def varied(texts: tuple[str, ...], data: Data, *key: object) -> str:
    """One of the texts as one step sees it: perhaps left out, perhaps its parts shuffled; the same for the same key."""
    rng = keyed_random("caption", *key)
    text = rng.choice(texts) if len(texts) > 1 else texts[0]
    if rng.random() < data.caption_dropout:
        return ""
    if not data.shuffle_captions:
        return text
    return shuffled(text, data.keep_first, rng)


def parts(text: str) -> list[str]:
    """The comma-separated parts of a caption: its tags."""
    return [part.strip() for part in text.split(",")]


def shuffled(text: str, keep_first: int, rng: Random) -> str:
    head, tail = parts(text)[:keep_first], parts(text)[keep_first:]
    rng.shuffle(tail)
    return ", ".join(head + tail)
