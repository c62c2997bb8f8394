"""A concept's folder: what is found, how often it counts, what it is called."""

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from extension_lib.config.run import Concept, Data, from_dict
from extension_lib.data import folder
from extension_lib.data.captions import fill_prompt, vary_prompt
from extension_lib.data.folder import FolderError, find_all_pictures, find_pictures, finding_all_pictures


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


def names_and_problems(root, **concept):
    found = find_pictures(Concept(str(root), **concept))
    return [item.path.relative_to(root).as_posix() for item in found.items], found.problems


@pytest.mark.parametrize("other, reason", [
    ("0_old", "count 0 times"), ("sample", "beside folders that say how often"), ("@eaDir", "the system"),
    ("10_ghost/@eaDir", "the system"), ("__MACOSX", "the system")])
def test_folders_that_kohya_would_not_read_are_left_out_and_named(tmp_path, other, reason):
    picture(tmp_path / "10_ghost", "a.png")
    for name in ("1.png", "2.png"):
        picture(tmp_path / other, name)
    names, problems = names_and_problems(tmp_path)
    assert names == ["10_ghost/a.png"]
    assert len(problems) == 1 and reason in problems[0] and other.split("/")[-1] in problems[0]


def test_folders_without_numbers_are_all_read(tmp_path):
    for name in ("cats", "dogs/brown"):
        picture(tmp_path / name, "a.png")
    assert names_and_problems(tmp_path) == (["cats/a.png", "dogs/brown/a.png"], ())


@pytest.mark.parametrize("folder, repeats", [("20240101_ghost", 1), ("1001_ghost", 1), ("100_ghost", 11)])
def test_a_folder_s_number_counts_no_more_than_the_setting_allows(tmp_path, folder, repeats):
    picture(tmp_path / folder, "a.png")
    for root in (tmp_path, tmp_path / folder):
        with pytest.raises(FolderError, match=f"in {folder} would count .*000|1100 times.*rename it, such as 1_ghost"):
            find_pictures(Concept(str(root), repeats=repeats))


def test_a_folder_of_a_thousand_repeats_is_read(tmp_path):
    picture(tmp_path / "1000_ghost", "a.png")
    assert find_pictures(Concept(str(tmp_path))).items[0].repeats == 1000


def test_looking_through_folders_can_be_stopped_in_between(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "AT_ONCE", 2)
    for name in ("a/1.png", "a/2.png", "a/3.png", "b/1.png"):
        picture((tmp_path / name).parent, name[2:])
    run = from_dict({"concepts": [{"folder": str(tmp_path / name)} for name in "ab"]})
    assert [prepared.share for prepared in finding_all_pictures(run)] == [0, 2 / 3, 0]
    assert [len(found.items) for found in find_all_pictures(run)] == [3, 1]


def test_pictures_in_formats_that_are_not_read_are_named(tmp_path):
    picture(tmp_path, "good.png")
    for name in ("photo.CR2", "drawing.psd"):
        (tmp_path / name).write_bytes(b"x")
    names, problems = names_and_problems(tmp_path)
    assert names == ["good.png"]
    assert problems == ("drawing.psd is left out, because PSD files are not read. Save it as PNG.",
                        "photo.CR2 is left out, because CR2 files are not read. Save it as PNG.")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have names in Unicode alone")
def test_names_that_are_not_utf8_are_left_out_and_reach_no_prompt(tmp_path):
    picture(tmp_path, "good.png")
    content = (tmp_path / "good.png").read_bytes()
    for name in (b"gei\xdfter.png", b"10_gei\xdfter/a.png"):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    names, problems = names_and_problems(tmp_path)
    assert names == ["good.png"] and len(problems) == 2
    assert all("gei?ter" in said and "is not UTF-8. Rename it." in said and said.isprintable() for said in problems)
    with pytest.raises(FolderError, match="gei.ter is not UTF-8"):
        find_pictures(Concept(str(path.parent)))


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


@pytest.mark.parametrize("shuffled", [False, True])
def test_tags_are_left_out_one_by_one_but_never_the_first_ones(shuffled):
    data = Data(shuffle_captions=shuffled, keep_first=1, tag_dropout=0.3)
    texts = [vary_prompt(("zwx, b, c, d, e",), data, 0, n).split(", ") for n in range(500)]
    assert all(text[0] == "zwx" and len(set(text)) == len(text) for text in texts)
    assert 0.25 < 1 - sum(len(text) - 1 for text in texts) / (4 * 500) < 0.35
    assert shuffled or all(text == sorted(text, key="zwxbcde".index) for text in texts)


def test_dropout_leaves_out_about_its_share_and_the_same_ones_again():
    data = Data(caption_dropout=0.3)
    dropped = [vary_prompt(("x",), data, 0, n) == "" for n in range(1000)]
    assert 0.25 < sum(dropped) / 1000 < 0.35
    assert dropped == [vary_prompt(("x",), data, 0, n) == "" for n in range(1000)]
