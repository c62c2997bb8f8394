"""Weights of blocks, as people write them: "IN04:0.5, MID:0", or a row of numbers as for the LoRA Block Weight tag."""

import re
from collections.abc import Mapping

from ..families.family import Family
from . import keys
from .source import FileProblem

# The rows that `lbw=` takes: the blocks that they name. Shorter ones leave out blocks without attention.
ROWS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "sd1": (("BASE", "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "MID", *(f"OUT{n:02d}" for n in range(3, 12))),
            ("BASE", *(f"IN{n:02d}" for n in range(12)), "MID", *(f"OUT{n:02d}" for n in range(12)))),
    "sdxl": (("BASE", "IN04", "IN05", "IN07", "IN08", "MID", *(f"OUT{n:02d}" for n in range(6))),
             ("BASE", *(f"IN{n:02d}" for n in range(9)), "MID", *(f"OUT{n:02d}" for n in range(9)))),
}
SPLIT = re.compile(r"[,;\s]+")
NAMED = re.compile(r"([A-Z]+\d*)(?:-([A-Z]+\d*))?[:=](\S+)")
BlockWeights = Mapping[str, float]


def parse_blocks(text: str, family: Family) -> BlockWeights:
    """By block, its weight; blocks that are not named keep theirs, but a row gives the others 0. Raises FileProblem."""
    words = [word for word in SPLIT.split(text.strip().upper().removeprefix("LBW=")) if word]
    if words and not any(NAMED.fullmatch(word) for word in words):
        return row_of_blocks(words, family)
    weights: dict[str, float] = {}
    for word in words:
        match = NAMED.fullmatch(word)
        if not match:
            raise FileProblem(f"{word!r} is no block with its weight. Write them as IN04:0.5, MID:0, OUT03-OUT11:1.2, "
                              "or BASE:0 for the text encoder.")
        for block in between(match[1], match[2] or match[1], family):
            weights[block] = number(match[3])
    return weights


def between(first: str, last: str, family: Family) -> tuple[str, ...]:
    known = family.blocks
    wrong = next((block for block in (first, last) if block not in known), None)
    if wrong or known.index(last) < known.index(first):
        raise FileProblem(f"{wrong or f'{first}-{last}'} is no block of {family.title}. Its blocks are "
                          f"{', '.join(known)}.")
    return known[known.index(first):known.index(last) + 1]


def row_of_blocks(words: list[str], family: Family) -> BlockWeights:
    rows = ROWS.get(family.name, ROWS["sd1"])
    row = next((row for row in rows if len(row) == len(words)), None)
    if row is None:
        counts = " or ".join(str(len(row)) for row in rows)
        raise FileProblem(f"{len(words)} weights of blocks are given, but a row for {family.title} has {counts}.")
    return {**dict.fromkeys(family.blocks, 0.0), **{block: number(word) for block, word in zip(row, words)}}


def number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise FileProblem(f"{word!r} is no number. Write a block's weight as IN04:0.5.") from None


def weight_of(key: str, family: Family, weights: BlockWeights) -> float:
    """Of a layer; 1 where its block is not named."""
    return weights.get(keys.block_of(key, family), 1.0)
