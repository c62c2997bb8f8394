"""CLIP's tokenizer without a network: its byte-pair vocabulary comes from an installed package that ships it."""

import gzip
import importlib.util
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, cast

from ..families.family import CHUNK
from ..host import HostError

FILE, PACKAGES = "bpe_simple_vocab_16e6.txt.gz", ("clip", "open_clip")  # the package openai-clip is called clip
TOKENS = 49408  # 256 bytes, 256 bytes that end a word, the merges, and two marks
MERGES = TOKENS - 2 * 256 - 2
AGAIN = "Install transformers again."
START, END = "<|startoftext|>", "<|endoftext|>"
# What CLIP's own tokenizer makes of them (openai/CLIP, clip/simple_tokenizer.py).
KNOWN = {"a photo of a cat": [320, 1125, 539, 320, 2368], "hello world!": [3306, 1002, 256],
         "a red ghost, night": [320, 736, 7108, 267, 930]}


def vocabulary_file() -> Path:
    """Raises HostError where no package has it."""
    for package in PACKAGES:
        found = importlib.util.find_spec(package)  # imports nothing
        for folder in (found.submodule_search_locations or ()) if found else ():
            if (path := Path(folder) / FILE).is_file():
                return path
    raise HostError(f"CLIP's vocabulary ({FILE}) is not installed. Run: pip install openai-clip==1.0.1")


def byte_letters() -> Iterator[str]:
    """The letter that stands for each byte: printable bytes for themselves, the others for letters from 256 on.

    Printable ones come first, as they do among the tokens (Radford et al., 2019, GPT-2).
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("\u00a1"), ord("\u00ac") + 1),
                 *range(ord("\u00ae"), ord("\u00ff") + 1)]
    yield from map(chr, printable)
    yield from (chr(256 + n) for n in range(256 - len(printable)))


def read_merges(path: Path) -> list[tuple[str, str]]:
    """The pairs that are merged, the most common first. Raises HostError for a file of another content."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = [line.rstrip("\n") for line in islice(file, 1, MERGES + 1)]
    except (OSError, EOFError, ValueError) as error:
        raise HostError(f"CLIP's vocabulary {path} cannot be read ({error}). Install its package again.") from None
    pairs = [(first, second) for first, space, second in (line.partition(" ") for line in lines) if space]
    known = {*word_parts(), *map("".join, pairs)}
    if len(pairs) != MERGES or not all(known.issuperset(pair) for pair in pairs):
        raise HostError(f"CLIP's vocabulary {path} has {len(pairs)} pairs instead of {MERGES}, or others than CLIP's. "
                        "Install its package again.")
    return pairs


def word_parts() -> list[str]:
    """The first tokens: each byte within a word, then each at a word's end."""
    letters = list(byte_letters())
    return [*letters, *(f"{letter}</w>" for letter in letters)]


def clip_tokenizer() -> Any:
    """transformers' CLIPTokenizer. Raises HostError where it does not encode as CLIP's own does."""
    from transformers import CLIPTokenizer

    merges = read_merges(vocabulary_file())
    tokens = [*word_parts(), *map("".join, merges), START, END]
    made = CLIPTokenizer(vocab={token: n for n, token in enumerate(tokens)}, merges=cast(Any, merges), pad_token=END,
                         model_max_length=CHUNK + 2)
    require_known_encodings(made)
    return made


def require_known_encodings(tokenizer: Any) -> None:
    """transformers raises nothing when it finds no vocabulary: it returns a tokenizer that knows no word."""
    if len(tokenizer) != TOKENS:
        raise HostError(f"CLIP's tokenizer has {len(tokenizer)} tokens instead of {TOKENS}. {AGAIN}")
    for text, wanted in KNOWN.items():
        made = tokenizer(text, add_special_tokens=False)["input_ids"]
        if made != wanted:
            raise HostError(f"CLIP's tokenizer reads {text!r} as {made} instead of {wanted}. {AGAIN}")
