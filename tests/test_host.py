"""Checkpoints by what people and pages call them; what a page may read; what can be drawn."""

from pathlib import Path

import pytest

from extension_lib.host import Checkpoint, Folders, HostError, Picture, find_checkpoint, require_drawable
from extension_lib.support.disk import is_inside, path_from_text


def folders(root, **more):
    return Folders(*(root / name for name in ("loras", "embeddings", "hypernetworks", "checkpoints", "spaces")), **more)


class Listing:
    folders = folders(Path("/studio"))

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


def test_a_page_with_limits_reads_its_own_folders_and_those_that_its_owner_named(tmp_path, monkeypatch):
    mine, outside = tmp_path / "mine", tmp_path / "outside"
    mine.mkdir()
    limited = folders(tmp_path / "studio", named=(mine,))
    for text in (mine, mine / "deep", tmp_path / "studio" / "spaces" / "ghost" / "pictures"):
        assert limited.allow(str(text))
    monkeypatch.setenv("SECRET", str(mine))
    for text in (outside, tmp_path, mine / ".." / "outside", "/dev", "mine", "", "~", "$SECRET", "%SECRET%", "a\0b"):
        assert not limited.allow(str(text)), text
        assert folders(tmp_path).allow(str(text))


def test_a_page_with_limits_takes_no_checkpoint_from_elsewhere(tmp_path):
    (tmp_path / "mine.safetensors").touch()
    limited = Listing()
    limited.folders = folders(tmp_path / "studio", named=())
    with pytest.raises(HostError, match="There is no checkpoint"):
        find_checkpoint(limited, str(tmp_path / "mine.safetensors"))


def test_a_link_leads_outside(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    try:
        (inside / "link").symlink_to(tmp_path)
    except OSError:
        pytest.skip("links are not allowed here")
    assert is_inside(inside / "a", inside) and not is_inside(inside / "link" / "b", inside)


def test_variables_in_a_path_stand_for_what_they_hold_unless_something_is_really_called_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PICTURES", "ghosts")
    for text in ("$PICTURES/a", "${PICTURES}/a", "%PICTURES%/a"):
        assert path_from_text(text) == Path("ghosts/a")
    assert path_from_text("50%off%/$unset") == Path("50%off%/$unset")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "$PICTURES").mkdir()
    assert path_from_text("$PICTURES") == Path("$PICTURES")


@pytest.mark.parametrize("values, said", [
    ({"width": 100}, "The width is 100, but must be a multiple of 8 up to 4096. Use 104."),
    ({"height": 0}, "The height is 0, .* Use 8."), ({"height": -8}, "Use 8"), ({"width": 10**30}, "Use 4096"),
    ({"steps": 0}, "steps is 0"), ({"steps": 10**9}, "steps is"), ({"cfg": float("nan")}, "CFG scale is nan"),
    ({"seed": -2}, "seed is -2"), ({"seed": 2**32}, "seed is")])
def test_a_picture_that_cannot_be_drawn_is_said(values, said):
    with pytest.raises(HostError, match=said):
        require_drawable(Picture("a ghost", **{"width": 64, "height": 64, **values}))
    assert require_drawable(Picture("a ghost", width=8, height=4096, seed=2**32 - 1))
