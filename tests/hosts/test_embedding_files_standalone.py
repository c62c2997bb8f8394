"""Files in the folder of embeddings: a bad one breaks nothing, and is named where its word is asked for."""

import logging
import os

import pytest
import torch
from safetensors.torch import save_file

from extension_lib.diffusion.prompts import NewWords
from extension_lib.families.family import SINGLE_VECTORS as KEY
from extension_lib.host import HostError, Picture


class Runs:
    def __reduce__(self):
        return os.getcwd, ()


def save_pt(path, content):
    torch.save(content, path)


BAD = {
    "nothing in it": lambda path, width: path.write_bytes(b""),
    "a page": lambda path, width: path.write_text("<html>not found</html>"),
    "a program": lambda path, width: save_pt(path, {"string_to_param": {"*": torch.ones(1, width)}, "x": Runs()}),
    "a list": lambda path, width: save_pt(path, [torch.ones(1, width)]),
    "a number": lambda path, width: save_pt(path, {"string_to_param": {"*": torch.tensor(1.0)}}),
    "no vector": lambda path, width: save_pt(path, {"string_to_param": {"*": torch.ones(0, width)}}),
    "whole numbers": lambda path, width: save_pt(path, {"x": torch.ones(1, width, dtype=torch.int64)}),
    "three dimensions": lambda path, width: save_pt(path, {"x": torch.ones(1, 1, width)}),
    "two words": lambda path, width: save_pt(path, {"x": torch.ones(1, width), "y": torch.ones(1, width)}),
    "text for tensors": lambda path, width: save_pt(path, {"string_to_param": "none"}),
    "NaN": lambda path, width: save_pt(path, {"x": torch.full((1, width), torch.nan)}),
    "too many vectors": lambda path, width: save_pt(path, {"x": torch.ones(76, width)}),
    "another width": lambda path, width: save_pt(path, {"x": torch.ones(1, width + 1)}),
}


@pytest.fixture
def folder(host):
    host.folders.embeddings.mkdir(parents=True)
    return host.folders.embeddings


def draw(host, prompt="a cat"):
    return host.draw([Picture(prompt, steps=1, cfg=1.0, width=64, height=64)])[0].tobytes()


@pytest.mark.parametrize("what", BAD)
def test_a_bad_embedding_breaks_no_drawing_and_is_named_where_it_is_asked_for(host, folder, caplog, what):
    before = draw(host)
    BAD[what](folder / "qvk.pt", host.ready.view.vocabularies()[KEY].shape[1])
    with caplog.at_level(logging.WARNING):
        assert draw(host) == before and caplog.text == ""
        draw(host, "a qvk")
    assert "qvk.pt" in caplog.text and "not used" in caplog.text and "weights_only" not in caplog.text
    with pytest.raises(HostError, match="qvk.pt"):
        host.read_back(folder / "qvk.pt", "embedding")


@pytest.mark.parametrize("name", [" ", "  "])
def test_an_embedding_whose_name_has_no_token_is_no_word(host, folder, name):
    before = draw(host)
    save_file({KEY: torch.ones(1, host.ready.view.vocabularies()[KEY].shape[1])}, folder / f"{name}.safetensors")
    assert draw(host) == before


def test_a_word_without_tokens_is_never_found():
    words = NewWords()
    words.add(" ", [], torch.ones(1, 4))
    assert words.at([1, 2], 0) is None


@pytest.mark.skipif(os.name == "nt", reason="Windows' names are text")
def test_an_embedding_whose_name_is_not_utf_8_is_left_out(host, folder):
    save_pt(folder / "x.pt", {"x": torch.ones(1, host.ready.view.vocabularies()[KEY].shape[1])})
    (folder / "x.pt").rename(folder / os.fsdecode(b"\xff.pt"))
    assert draw(host)


def test_an_embedding_that_takes_a_common_word_is_named_where_the_word_is_asked_for(host, folder, caplog):
    for name in ("ghost", "zwxq"):
        save_file({KEY: torch.ones(1, host.ready.view.vocabularies()[KEY].shape[1])}, folder / f"{name}.safetensors")
    with caplog.at_level(logging.WARNING):
        draw(host, "a zwxq cat")
        assert caplog.text == ""
        draw(host, "a ghost")
    assert "ghost.safetensors stands for the word 'ghost'" in caplog.text


def test_an_embedding_in_capitals_is_read(host, folder):
    before = draw(host, "a zwxq cat")
    save_file({KEY: torch.ones(1, host.ready.view.vocabularies()[KEY].shape[1])}, folder / "zwxq.SAFETENSORS")
    assert draw(host, "a zwxq cat") != before
