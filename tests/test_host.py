"""Checkpoints by what people and pages call them."""

from pathlib import Path

import pytest

from extension_lib.host import Checkpoint, HostError, find_checkpoint


class Listing:
    def checkpoints(self):
        return [Checkpoint("sub/model.safetensors [82a973c043]", Path("/models/sub/model.safetensors")),
                Checkpoint("other.safetensors", Path("/models/other.safetensors"))]


@pytest.mark.parametrize("text", [
    "sub/model.safetensors [82a973c043]", "sub/model.safetensors", "model", "model.safetensors",
    "/models/sub/model.safetensors"
])
def test_a_title_is_known_with_and_without_its_hash(text):
    assert find_checkpoint(Listing(), text).path.stem == "model"


def test_a_page_that_was_built_with_the_hash_finds_a_checkpoint_without():
    assert find_checkpoint(Listing(), "other.safetensors [0123456789]").path.stem == "other"


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(HostError, match="There is no checkpoint 'nothing'"):
        find_checkpoint(Listing(), "nothing")
    (tmp_path / "mine.safetensors").touch()
    assert find_checkpoint(Listing(), str(tmp_path / "mine.safetensors")).title == "mine"
