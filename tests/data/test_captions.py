"""Captions changed by hand and by the tools: files are whole, nothing else is touched, and there is a way back."""

from pathlib import Path

import pytest
from PIL import Image

from extension_lib.config.run import Concept
from extension_lib.data.caption_tools import (
    Edit,
    apply_changes,
    edit_caption,
    find_changes,
    shuffled_examples,
    tag_counts,
    undo_changes,
)
from extension_lib.data.captions import read_caption, write_caption
from extension_lib.data.folder import FolderError


@pytest.fixture
def concept(tmp_path):
    folder = tmp_path / "照片 of" / "10_zwx ghost"
    folder.mkdir(parents=True)
    for name, text in (("a", "1girl, snow, smile"), ("b", "1girl, beach"), ("c", None)):
        Image.new("RGB", (64, 64)).save(folder / f"{name}.png")
        if text is not None:
            (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return Concept(str(folder.parent))


def files(concept):
    return {p.name: p.read_text(encoding="utf-8") for p in sorted(Path(concept.folder).rglob("*.txt"))}


def test_a_caption_is_written_beside_its_picture_and_read_back(tmp_path):
    picture = tmp_path / "图 1.png"
    write_caption(picture, "  一个幽灵,\n in the snow ")
    assert read_caption(picture) == "一个幽灵, in the snow"
    assert [p.name for p in tmp_path.iterdir()] == ["图 1.txt"]


@pytest.mark.parametrize("edit, after", [
    (Edit(find="snow", replace="ice"), "1girl, ice, smile"),
    (Edit(find="snow"), "1girl, smile"),
    (Edit(find="1girl"), "snow, smile"),
    (Edit(before="zwx,"), "zwx, 1girl, snow, smile"),
    (Edit(before="1girl,"), "1girl, snow, smile"),
    (Edit(after=", by zwx"), "1girl, snow, smile, by zwx"),
    (Edit(find="1girl, snow, smile", before="zwx,"), "zwx"),
    (Edit(after="on film"), "1girl, snow, smile on film"),
    (Edit(find="1girl", replace="woman", before="a"), "a woman, snow, smile"),
])
def test_an_edit_changes_a_caption_as_it_says(edit, after):
    assert edit_caption("1girl, snow, smile", edit) == after


def test_only_captions_that_change_are_written_and_undo_brings_everything_back(concept):
    before = files(concept)
    made = find_changes(concept, Edit(find="snow", replace="ice"))
    assert [(c.path.name, c.new) for c in made] == [("a.png", "1girl, ice, smile")]
    assert files(concept) == before, "nothing is written until it is applied"
    made = find_changes(concept, Edit(before="a photo of"))
    assert list(apply_changes(made)) == made
    assert files(concept)["c.txt"].strip() == "a photo of zwx ghost", "without a file the folder's name is the caption"
    assert list(undo_changes(made)) == made and files(concept) == before


@pytest.mark.parametrize("held, said", [
    ("a zwx ghost".encode("utf-16"), "a zwx ghost"), ("café".encode("cp1252"), "café"),
    ("\ufeffa ghost\n".encode(), "a ghost")])
def test_captions_of_older_programs_are_read_and_undo_leaves_their_bytes(concept, held, said):
    path = Path(concept.folder) / "10_zwx ghost" / "a.txt"
    path.write_bytes(held)
    made = find_changes(concept, Edit(before="a photo of"))
    assert made[0].old == said
    list(apply_changes(made))
    assert read_caption(path) == f"a photo of {said}"
    list(undo_changes(made))
    assert path.read_bytes() == held


@pytest.mark.parametrize("folder", ["", "gone", "x" * 300])
def test_without_a_folder_no_caption_is_touched(tmp_path, monkeypatch, folder):
    Image.new("RGB", (64, 64)).save(tmp_path / "mine.png")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FolderError):
        find_changes(Concept(folder), Edit(before="zwx"))


def test_tags_are_counted_once_in_a_caption():
    assert tag_counts(["a, b, a", "b", ""]) == {"a": 1, "b": 2}


def test_shuffles_keep_the_first_tags():
    shown = shuffled_examples("zwx, a, b, c", 1)
    assert len(set(shown)) > 1 and all(s.startswith("zwx, ") for s in shown)
    assert all(sorted(s.split(", ")) == ["a", "b", "c", "zwx"] for s in shown)
