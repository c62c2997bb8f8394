"""CLIP's tokenizer comes from an installed package, and whatever is wrong with it is told at once."""

import gzip
import importlib.util
import os
import socket

import pytest

from extension_lib.host import HostError
from extension_lib.models import clip_vocabulary
from extension_lib.models.clip_vocabulary import FILE, MERGES, TOKENS, clip_tokenizer, read_merges, vocabulary_file


def clip_s_own_tokenizer():
    """OpenAI's, read from its file, because importing its package needs torchvision."""
    spec = importlib.util.spec_from_file_location("own_clip", vocabulary_file().with_name("simple_tokenizer.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.SimpleTokenizer()


def test_it_encodes_as_clip_s_own_does():
    made, own = clip_tokenizer(), clip_s_own_tokenizer()
    texts = ["a photo of zwx, by  greg", "it's 100% (a:1.3) [b]", "红色的幽灵 and ünï", "<lora:ghost:1>", "\U0001f600"]
    texts += [own.decode(range(n, n + 7)) for n in range(512, TOKENS - 9, 997)]
    assert [made(text, add_special_tokens=False)["input_ids"] for text in texts] == [own.encode(text) for text in texts]


def test_no_network_and_no_cache_are_needed(tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setitem(os.environ, "HF_HOME", str(tmp_path))
    assert len(clip_tokenizer()) == TOKENS and not any(tmp_path.iterdir())


def reversed_merges():
    return [" ".join(pair) for pair in reversed(read_merges(vocabulary_file()))]


@pytest.mark.parametrize("lines, said", [
    ([], f"0 pairs instead of {MERGES}"), (["a b"] * 5, f"5 pairs instead of {MERGES}"),
    ([f"x{n} y" for n in range(MERGES)], "others than CLIP's"),
    (reversed_merges(), "reads 'a photo of a cat' as")], ids=["none", "few", "other", "reversed"])
def test_another_vocabulary_is_refused(tmp_path, monkeypatch, lines, said):
    path = tmp_path / FILE
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(["first line", *lines]))
    monkeypatch.setattr(clip_vocabulary, "vocabulary_file", lambda: path)
    with pytest.raises(HostError, match=said):
        clip_tokenizer()


def test_a_damaged_vocabulary_is_named(tmp_path, monkeypatch):
    path = tmp_path / FILE
    path.write_bytes(b"no archive")
    monkeypatch.setattr(clip_vocabulary, "vocabulary_file", lambda: path)
    with pytest.raises(HostError, match=f"{FILE} cannot be read"):
        clip_tokenizer()


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(clip_vocabulary, "PLACES", (("no_such_package", FILE),))
    with pytest.raises(HostError, match="pip install openai-clip"):
        clip_tokenizer()


def test_the_vocabulary_is_found_without_importing_the_package():
    assert vocabulary_file().parent.name in dict(clip_vocabulary.PLACES)
