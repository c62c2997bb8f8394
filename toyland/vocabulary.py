"""Toyland's tokenizer: CLIP's byte pairs, with merges for the words of its captions only."""

import json
from collections import Counter
from pathlib import Path

from extension_lib.models.clip_vocabulary import END, START, byte_letters

from .accessories import EVERYDAY
from .captions import JOINS, OPENINGS, PHRASES
from .figures import KINDS
from .scene import COLOURS

OTHER_WORDS = "a an wearing with the of photo drawn , ."


def words() -> list[str]:
    said = [
        *KINDS, *COLOURS, *EVERYDAY, *JOINS, *OPENINGS, *(p for many in PHRASES.values() for p in many), OTHER_WORDS
    ]
    return sorted({word for text in said for word in text.split()})


def merges(texts: list[str]) -> list[tuple[str, str]]:
    """Byte-pair merges, the commonest pair first, until every text is one token."""
    split = [[*word[:-1], word[-1] + "</w>"] for word in texts]
    found = []
    while pairs := Counter(pair for word in split for pair in zip(word, word[1:])):
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        found.append(best)
        split = [joined(word, best) for word in split]
    return found


def joined(word: list[str], pair: tuple[str, str]) -> list[str]:
    out, i = [], 0
    while i < len(word):
        both = tuple(word[i:i + 2]) == pair
        out.append("".join(pair) if both else word[i])
        i += 2 if both else 1
    return out


def write(folder: Path, pairs: list[tuple[str, str]]) -> int:
    """Writes a tokenizer's files in CLIP's form, given its merges; returns how many tokens there are."""
    symbols = list(byte_letters())
    tokens = [*symbols, *(s + "</w>" for s in symbols), *("".join(p) for p in pairs), START, END]
    assert len(set(tokens)) == len(tokens)
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: n for n, token in enumerate(tokens)}
    files = {
        "vocab.json": json.dumps(vocabulary, ensure_ascii=False),
        "merges.txt": "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in pairs),
        "special_tokens_map.json": json.dumps(
            {"bos_token": START, "eos_token": END, "pad_token": END, "unk_token": END}, indent=2),
        "tokenizer_config.json": json.dumps(
            {
                "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "errors": "replace",
                "bos_token": START, "eos_token": END, "pad_token": END, "unk_token": END, "add_prefix_space": False
            }, indent=2),
    }
    for name, text in files.items():
        (folder / name).write_text(text + ("" if text.endswith("\n") else "\n"), encoding="utf-8", newline="\n")
    return len(tokens)


if __name__ == "__main__":
    print(write(Path(__file__).parent / "base" / "tokenizer", merges(words())), "tokens")
