"""Toyland's tokenizer: any word goes through it, and every host's tokenizer gives the same tokens."""

import hashlib
import json
import os
from pathlib import Path
from random import Random

from helpers import TOYLAND
from transformers import CLIPTokenizer

from extension_lib.models.clip_vocabulary import word_parts

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "tokens.json"
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.,!?()[]<>:'\"/éüñßøçжд中文日本한국☃🎈"


def random_words():
    rng = Random("words")
    return ["".join(rng.choice(LETTERS) for _ in range(rng.randint(1, 12))) for _ in range(1000)]


def tokens():
    tokenizer = CLIPTokenizer.from_pretrained(TOYLAND / "base" / "tokenizer")
    return tokenizer, [tokenizer(word, add_special_tokens=False)["input_ids"] for word in random_words()]


def test_a_thousand_random_words_have_no_unknown_token():
    tokenizer, found = tokens()
    assert all(found) and not any(tokenizer.unk_token_id in ids for ids in found)


def test_every_byte_has_its_two_symbols():
    vocabulary = json.loads((TOYLAND / "base" / "tokenizer" / "vocab.json").read_text(encoding="utf-8"))
    assert len(set(word_parts())) == 512 and all(part in vocabulary for part in word_parts())


def test_both_environments_tokenizers_agree():
    """The WebUI's pins and current versions have two implementations; both are held against one file."""
    _, found = tokens()
    digest = hashlib.sha256(json.dumps(found).encode()).hexdigest()
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps({"sha256": digest}) + "\n", encoding="utf-8")
    assert json.loads(GOLDEN.read_text(encoding="utf-8"))["sha256"] == digest
