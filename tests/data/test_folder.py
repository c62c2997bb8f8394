"""A concept's folder: what is found, how often it counts, what it is called."""

import pytest
from PIL import Image

from extension_lib.config.run import Concept, Data
from extension_lib.data.captions import fill_prompt, vary_prompt
from extension_lib.data.folder import FolderError, find_pictures


def picture(folder, name, caption=None):
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64)).save(folder / name)
    if caption is not None:
        (folder / name).with_suffix(".txt").write_text(caption, encoding="utf-8")


def test_captions_beside_pictures_fill_the_prompt(tmp_path):
    picture(tmp_path / "照片 一", "a.png", "on a beach\n")
    item, = find_pictures(Concept(str(tmp_path / "照片 一"), "a zwx ghost, [filewords]")).items
    assert item.prompt == "a zwx ghost, on a beach"


def test_without_a_caption_the_file_s_name_is_read(tmp_path):
    picture(tmp_path, "red-ghost_012.png")
    assert find_pictures(Concept(str(tmp_path))).items[0].prompt == "red ghost"


def test_kohya_folders_repeat_and_name_their_pictures(tmp_path):
    picture(tmp_path / "10_zwx ghost", "a.png")
    picture(tmp_path / "3_dog", "b.png", "a brown dog")
    found = {i.path.name: i for i in find_pictures(Concept(str(tmp_path), repeats=2)).items}
    assert (found["a.png"].repeats, found["a.png"].prompt) == (20, "zwx ghost")
    assert (found["b.png"].repeats, found["b.png"].prompt) == (6, "a brown dog")


def test_unreadable_pictures_are_named_and_left_out(tmp_path):
    picture(tmp_path, "good.png")
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    found = find_pictures(Concept(str(tmp_path)))
    assert len(found.items) == 1 and len(found.problems) == 1 and "bad.jpg" in found.problems[0]


def test_hidden_files_and_other_files_do_not_count(tmp_path):
    picture(tmp_path, "good.png")
    picture(tmp_path / ".thumbs", "x.png")
    (tmp_path / "notes.md").write_text("x", encoding="utf-8")
    assert len(find_pictures(Concept(str(tmp_path))).items) == 1


@pytest.mark.parametrize("make, said", [(False, "There is no folder"), (True, "holds no readable picture")])
def test_a_folder_without_pictures_is_named(tmp_path, make, said):
    folder = tmp_path / "leer"
    if make:
        folder.mkdir()
    with pytest.raises(FolderError, match=said):
        find_pictures(Concept(str(folder)))


def test_an_empty_caption_leaves_no_stray_comma():
    assert fill_prompt("a zwx ghost, [filewords]", "") == "a zwx ghost"
    assert fill_prompt("[filewords]", "as is (pac-man)") == "as is (pac-man)"


def test_shuffling_keeps_the_first_parts_and_loses_none():
    data = Data(shuffle_captions=True, keep_first=2)
    texts = {vary_prompt(("a, b, c, d, e",), data, 0, n) for n in range(20)}
    assert len(texts) > 3
    assert all(t.startswith("a, b, ") and sorted(t.split(", ")) == list("abcde") for t in texts)


def test_dropout_leaves_out_about_its_share_and_the_same_ones_again():
    data = Data(caption_dropout=0.3)
    dropped = [vary_prompt(("x",), data, 0, n) == "" for n in range(1000)]
    assert 0.25 < sum(dropped) / 1000 < 0.35
    assert dropped == [vary_prompt(("x",), data, 0, n) == "" for n in range(1000)]
