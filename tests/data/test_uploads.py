"""Dropped pictures arrive in the workspace, with captions and masks, and replace nothing that is another's."""

import pytest
from PIL import Image

from extension_lib.data.uploads import copy_uploads, folder_for


@pytest.fixture
def dropped(tmp_path):
    folder = tmp_path / "dropped 照片"
    folder.mkdir()
    Image.new("RGB", (64, 64), "red").save(folder / "a.png")
    Image.new("L", (64, 64), 255).save(folder / "a-mask.png")
    (folder / "a.txt").write_text("a red thing", encoding="utf-8")
    (folder / "notes.pdf").write_bytes(b"x")
    return sorted(folder.iterdir())


def test_pictures_captions_and_masks_arrive_and_others_are_named(tmp_path, dropped):
    taken = copy_uploads(dropped, tmp_path / "space" / "pictures")
    assert sorted(p.name for p in (tmp_path / "space" / "pictures").iterdir()) == ["a-mask.png", "a.png", "a.txt"]
    assert [p.name for p in taken.pictures] == ["a.png"] and taken.captions == 1 and taken.refused == ("notes.pdf",)


def test_captions_and_masks_of_other_trainers_come_along(tmp_path, dropped):
    (dropped[0].parent / "a.txt").rename(dropped[0].parent / "a.CAPTION")
    (dropped[0].parent / "a-mask.png").rename(dropped[0].parent / "a-masklabel.png")
    taken = copy_uploads(sorted(dropped[0].parent.iterdir()), tmp_path / "p")
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == ["a-masklabel.png", "a.caption", "a.png"]
    assert [p.name for p in taken.pictures] == ["a.png"] and taken.captions == 1


def test_the_same_picture_twice_is_there_once(tmp_path, dropped):
    copy_uploads(dropped, tmp_path / "p")
    copy_uploads(dropped, tmp_path / "p")
    assert len(list((tmp_path / "p").iterdir())) == 3


def test_another_picture_of_the_same_name_gets_a_number_with_its_caption_and_mask(tmp_path, dropped):
    copy_uploads(dropped, tmp_path / "p")
    Image.new("RGB", (64, 64), "blue").save(dropped[1].parent / "a.png")
    copy_uploads(dropped, tmp_path / "p")
    assert sorted(p.name for p in (tmp_path / "p").iterdir()) == [
        "a-2-mask.png", "a-2.png", "a-2.txt", "a-mask.png", "a.png", "a.txt"]


def test_a_concept_keeps_its_folder_in_the_workspace_and_a_new_one_gets_its_own(tmp_path):
    assert folder_for(tmp_path, "") == tmp_path / "pictures"
    (tmp_path / "pictures").mkdir()
    assert folder_for(tmp_path, str(tmp_path / "pictures")) == tmp_path / "pictures"
    assert folder_for(tmp_path, "") == folder_for(tmp_path, "/my/own") == tmp_path / "pictures-2"


def test_pictures_of_one_name_from_two_folders_are_both_kept(tmp_path):
    files = []
    for colour in ("red", "blue"):
        folder = tmp_path / colour
        folder.mkdir()
        Image.new("RGB", (8, 8), colour).save(folder / "1.png")
        (folder / "1.TXT").write_text(colour, encoding="utf-8")
        files += [folder / "1.png", folder / "1.TXT"]
    taken = copy_uploads(files, tmp_path / "p")
    assert [p.name for p in taken.pictures] == ["1.png", "1-2.png"]
    assert [(tmp_path / "p" / f"{stem}.txt").read_text(encoding="utf-8") for stem in ("1", "1-2")] == ["red", "blue"]
