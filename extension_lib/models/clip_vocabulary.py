"""CLIP's tokenizer without a network: its byte-pair vocabulary comes from an installed package that ships it."""

import gzip
import importlib.util
import inspect
import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, cast

from ..families.family import CHUNK
from ..host import HostError

FILE = "bpe_simple_vocab_16e6.txt.gz"
# The package openai-clip is called clip. Forge's backend has the merges as transformers writes them.
PLACES = (("clip", FILE), ("open_clip", FILE), ("backend", "huggingface/*/stable-diffusion*/tokenizer/merges.txt"))
TOKENS = 49408  # 256 bytes, 256 bytes that end a word, the merges, and two marks
MERGES = TOKENS - 2 * 256 - 2
AGAIN = "Install transformers again."
START, END = "<|startoftext|>", "<|endoftext|>"
# What CLIP's own tokenizer makes of them (openai/CLIP, clip/simple_tokenizer.py).
KNOWN = {"a photo of a cat": [320, 1125, 539, 320, 2368], "hello world!": [3306, 1002, 256],
         "a red ghost, night": [320, 736, 7108, 267, 930]}


def vocabulary_file() -> Path:
    """Raises HostError where no package has it."""
    for package, file in PLACES:
        found = importlib.util.find_spec(package)  # imports nothing
        for folder in (found.submodule_search_locations or ()) if found else ():
            if paths := sorted(Path(folder).glob(file)):
                return paths[0]
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
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
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
    merges = read_merges(vocabulary_file())
    tokens = [*word_parts(), *map("".join, merges), START, END]
    made = make_tokenizer({token: n for n, token in enumerate(tokens)}, merges)
    require_known_encodings(made)
    return made


def make_tokenizer(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> Any:
    """transformers 4 reads both from files, transformers 5 takes them as they are."""
    from transformers import CLIPTokenizer

    kind, more = cast(Any, CLIPTokenizer), {"pad_token": END, "model_max_length": CHUNK + 2}
    if "vocab" in inspect.signature(kind.__init__).parameters:
        return kind(vocab=vocabulary, merges=merges, **more)
    with tempfile.TemporaryDirectory() as folder:
        words, pairs = Path(folder) / "vocab.json", Path(folder) / "merges.txt"
        words.write_text(json.dumps(vocabulary), encoding="utf-8")
        pairs.write_text("\n".join(["#", *map(" ".join, merges), ""]), encoding="utf-8")
        return kind(str(words), str(pairs), **more)


def require_known_encodings(tokenizer: Any) -> None:
    """transformers raises nothing when it finds no vocabulary: it returns a tokenizer that knows no word."""
    if len(tokenizer) != TOKENS:
        raise HostError(f"CLIP's tokenizer has {len(tokenizer)} tokens instead of {TOKENS}. {AGAIN}")
    for text, wanted in KNOWN.items():
        made = tokenizer(text, add_special_tokens=False)["input_ids"]
        if made != wanted:
            raise HostError(f"CLIP's tokenizer reads {text!r} as {made} instead of {wanted}. {AGAIN}")
