"""Prompts as CLIP sees them: chunks of 75 tokens, with weights where prompt syntax is on, and new words put in as
vectors.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from itertools import groupby
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ..families.family import CHUNK

COMMA_BACKTRACK = 20  # a chunk may end at a comma this many tokens back; the WebUI's default
LOUDER, SOFTER = 1.1, 1 / 1.1  # what a pair of round and of square brackets does
EXPLICIT = re.compile(r":\s*([+-]?\d*\.?\d+)\s*$")
BREAK = re.compile(r"\s*\bBREAK\b\s*")

Weighted = list[tuple[str, float]]


class WordVectors(NamedTuple):
    """Vectors (n, width) of a new word, to stand in a chunk from this place on; the start token's place is 0."""

    place: int
    vectors: Tensor


class Chunk(NamedTuple):
    """77 token ids and 77 weights, and the new words among them."""

    ids: list[int]
    weights: list[float]
    fixes: tuple[WordVectors, ...] = ()


class Lookup(Protocol):
    """Finds new words among tokens."""

    def at(self, tokens: list[int], place: int) -> tuple[Tensor, int] | None:
        """The vectors of the word that begins here, and how many tokens its name is; the longest name wins."""


class NewWords:
    """New words by the tokens of their names."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[list[int], Tensor]] = {}

    def add(self, name: str, tokens: list[int], vectors: Tensor) -> None:
        self.known[name] = (tokens, vectors)

    def has(self, name: str) -> bool:
        return name in self.known

    def remove(self, name: str) -> None:
        del self.known[name]

    def at(self, tokens: list[int], place: int) -> tuple[Tensor, int] | None:
        name = self.name_at(tokens, place)
        return (self.known[name][1], len(self.known[name][0])) if name else None

    def name_at(self, tokens: list[int], place: int) -> str:
        """The new word that begins here; "" for none."""
        longest_first = sorted(self.known, key=lambda name: -len(self.known[name][0]))
        return next((name for name in longest_first
                     if (own := self.known[name][0]) and tokens[place:place + len(own)] == own), "")


def words_found(names: Mapping[str, list[int]], tokens: list[int]) -> set[str]:
    """Which of the new words, by name with their tokens, stand among these tokens of a prompt."""
    known, found, place = NewWords(), set(), 0
    for name, own in names.items():
        known.add(name, own, torch.empty(0))
    while place < len(tokens):
        word = known.name_at(tokens, place)
        found |= {word} if word else set()
        place += len(names[word]) if word else 1
    return found


def parse_weights(prompt: str) -> Weighted:
    """The texts of a prompt with their weights, as the WebUI's prompt box means them.

    (more) and [less], (exactly:1.3), \\( for the bracket itself (a backslash is never shown); an unclosed bracket holds
    to the end.
    """
    letters: list[str] = []
    weights: list[float] = []
    opened: list[tuple[str, int]] = []

    def close(bracket: str) -> bool:
        at = next((i for i in reversed(range(len(opened))) if opened[i][0] == bracket), None)
        if at is None:
            return False
        start, factor = opened.pop(at)[1], LOUDER if bracket == "(" else SOFTER
        said = EXPLICIT.search("".join(letters[start:])) if bracket == "(" else None
        if said:
            del letters[start + said.start():], weights[start + said.start():]
            factor = float(said[1])
        weights[start:] = [w * factor for w in weights[start:]]
        return True

    escaped = False
    for letter in prompt:
        if letter in "([" and not escaped:
            opened.append((letter, len(letters)))
        elif letter in ")]" and not escaped and close("(" if letter == ")" else "["):
            pass
        elif letter == "\\" and not escaped:
            escaped = True
            continue
        else:
            letters.append(letter)
            weights.append(1.0)
        escaped = False
    for bracket, start in sorted(opened):  # round ones first, as the WebUI multiplies them
        weights[start:] = [w * (LOUDER if bracket == "(" else SOFTER) for w in weights[start:]]
    return join_equal_weights(letters, weights)


def join_equal_weights(letters: list[str], weights: list[float]) -> Weighted:
    """Neighbouring letters of the same weight as one text."""
    pairs = groupby(zip(letters, weights), key=lambda pair: pair[1])
    return [("".join(letter for letter, _ in run), weight) for weight, run in pairs] or [("", 1.0)]


def split_into_chunks(tokenizer: Any, prompt: str, syntax: bool = False, words: Lookup | None = None,
                      padding: int | None = None) -> list[Chunk]:
    """The prompt cut into chunks, at a comma where one is near; at least one chunk.

    A new word stands for as many tokens as it has vectors, and is never cut in two. padding: the token behind a chunk's
    end; None: the end again.
    """
    words = words or NewWords()
    start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    padding = end if padding is None else padding
    comma, = tokens_of(tokenizer, ",")  # not by the vocabulary: some tokenizers make that anew for each question
    done: list[Chunk] = []
    ids: list[int] = []
    weights: list[float] = []
    fixes: list[WordVectors] = []

    def close(upto: int) -> None:
        nonlocal ids, weights, fixes
        fill = CHUNK - upto
        done.append(Chunk([start, *ids[:upto], end, *[padding] * fill], [1.0, *weights[:upto], *[1.0] * (fill + 1)],
                          tuple(f for f in fixes if f.place <= upto)))
        ids, weights = ids[upto:], weights[upto:]
        fixes = [WordVectors(f.place - upto, f.vectors) for f in fixes if f.place > upto]

    for text, weight in parse_weights(prompt) if syntax else [(prompt, 1.0)]:
        for i, part in enumerate(BREAK.split(text) if syntax else [text]):
            if i:
                close(len(ids))
            tokens, place = tokens_of(tokenizer, part), 0
            while place < len(tokens):
                if len(ids) == CHUNK:
                    close(CHUNK if tokens[place] == comma else break_point(ids, comma))
                vectors, length = words.at(tokens, place) or (None, 1)
                count = 1 if vectors is None else len(vectors)
                if len(ids) + count > CHUNK:
                    close(len(ids))
                if vectors is not None:
                    fixes.append(WordVectors(len(ids) + 1, vectors))
                ids += [tokens[place]] if vectors is None else [0] * count
                weights += [weight] * count
                place += length
    if ids or not done:
        close(len(ids))
    return done


def tokens_of(tokenizer: Any, text: str) -> list[int]:
    """Without start and end."""
    return tokenizer(text, truncation=False, add_special_tokens=False)["input_ids"]


def break_point(ids: list[int], comma: int) -> int:
    """Where a full chunk ends: after its last comma if that is near enough, else at its end."""
    back = next((n for n, token in enumerate(reversed(ids)) if token == comma), CHUNK)
    return CHUNK - back if back < COMMA_BACKTRACK else CHUNK


Running = Callable[[Tensor], tuple[Tensor, Tensor | None]]
Inserting = Callable[[list[tuple[WordVectors, ...]]], AbstractContextManager[None]]


def fill_up(rows: list[list[Chunk]], count: int, empty: list[Chunk]) -> list[list[Chunk]]:
    """Each prompt with so many chunks, those of the empty prompt behind its own."""
    return [own + empty * (count - len(own)) for own in rows]


def encode(rows: list[list[Chunk]], run: Running, inserting: Inserting,
           device: torch.device) -> tuple[Tensor, Tensor | None]:
    """(prompts, tokens, width), and (prompts, width) of each prompt's first chunk where the encoder pools.

    rows: the prompts' chunks, as many of each. run: from ids (n, 77) to (n, 77, width) and (n, width) or None.
    inserting: within, the text model's next call puts these fixes, one tuple for each row, in place of its own vectors.
    """
    chunks = [chunk for own in rows for chunk in own]
    with inserting([c.fixes for c in chunks]):
        hidden, pooled = run(torch.tensor([c.ids for c in chunks], device=device))
    weights = [c.weights for c in chunks]
    if any(weight != 1 for row in weights for weight in row):  # asked here, because a GPU would have to be waited for
        hidden = emphasize(hidden, torch.tensor(weights, device=hidden.device))
    hidden = hidden.reshape(len(rows), -1, hidden.shape[2])
    return hidden, None if pooled is None else pooled[::len(rows[0])]


def insert_vectors(embedded: Tensor, rows: list[tuple[WordVectors, ...]]) -> Tensor:
    """(n, 77, width) embedded tokens with the fixes of each row in place."""
    if not any(rows):
        return embedded
    out = []
    for row, fixes in zip(embedded, rows):
        for place, vectors in fixes:
            row = torch.cat([row[:place], vectors.to(row.dtype), row[place + len(vectors):]])
        out.append(row)
    return torch.stack(out)


def emphasize(hidden: Tensor, weights: Tensor) -> Tensor:
    """Each token's vector times its weight, the mean of every chunk kept: the WebUI's "Original" emphasis."""
    before = hidden.mean(dim=(1, 2), keepdim=True)
    hidden = hidden * weights[..., None].to(hidden.dtype)
    return hidden * (before / hidden.mean(dim=(1, 2), keepdim=True))
