"""Caption files as people have them: their endings, encodings and lines, and what the doctor says of them."""

import pytest
from PIL import Image

from extension_lib.config.run import Concept, from_dict
from extension_lib.data.captions import LONGEST, read_caption, restore_caption_file, write_caption
from extension_lib.data.doctor import find_problems
from extension_lib.data.encodings import decode
from extension_lib.data.folder import find_pictures
from extension_lib.data.problems import KINDS

TEXTS = {
    "gb18030": ("一个红色的幽灵", "1girl, 红发, 微笑", "a photo of 幽灵", "一位穿着红色连衣裙的女孩站在海边，阳光明媚"),
    "big5": ("一個紅色的幽靈", "紅色幽靈, 海灘", "一位穿著紅色連衣裙的女孩站在海邊，陽光明媚"),
    "cp932": ("赤い幽霊", "女の子, 笑顔", "赤いドレスを着た少女が海辺に立っている"),
    "cp949": ("빨간 유령", "빨간 드레스를 입은 소녀가 해변에 서 있다"),
    "cp1251": ("красный призрак", "a красный призрак"),
    "cp1252": ("a man’s hat", "l’amour", "café", "cafés, naïve", "ein grünes Männchen", "Müller"),
    "utf-16-le": ("a red ghost", "一个红色的幽灵", "1girl, 红发", "赤い幽霊", "海滩上的女孩", "красный", "café"),
    "utf-16-be": ("a red ghost", "一个红色的幽灵", "1girl, 红发", "赤い幽霊"),
    "utf-16": ("a red ghost", "幽灵"), "utf-8-sig": ("a red ghost", "幽灵"), "utf-8": ("a red ghost", "幽灵", "")}


@pytest.mark.parametrize("encoding, text", [(encoding, text) for encoding, texts in TEXTS.items() for text in texts])
def test_a_caption_is_read_in_the_encoding_that_it_was_written_in(encoding, text):
    decoded = decode(text.encode(encoding))
    assert decoded.text == text
    assert bool(decoded.guessed) == (encoding not in ("utf-8", "utf-8-sig", "utf-16"))


def picture(folder, name, caption=None, ending=".txt", colour="red"):
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (64, 64), colour).save(folder / name)
    if caption is not None:
        (folder / name).with_suffix(ending).write_bytes(caption)
    return folder / name


def problems(folder, kind, **concept):
    run = from_dict({"concepts": [{"folder": str(folder), **concept}], "data": {"resolution": 64}})
    return [problem for problem in find_problems(run) if problem.kind == kind]


def test_letters_that_fit_several_encodings_are_read_as_their_neighbours_are(tmp_path):
    """Two common characters alone are words in Chinese and in Korean."""
    for n, text in enumerate(("红发", *TEXTS["gb18030"])):
        picture(tmp_path, f"{n}.png", text.encode("gb18030"))
    assert [item.prompt for item in find_pictures(Concept(str(tmp_path))).items] == ["红发", *TEXTS["gb18030"]]


@pytest.mark.parametrize("ending", [".txt", ".TXT", ".Txt", ".caption", ".CAPTION", ".cap"])
def test_endings_of_captions_are_those_of_other_trainers(tmp_path, ending):
    path = picture(tmp_path, "a.b.png", b"a red ghost", ending)
    assert read_caption(path) == "a red ghost"
    write_caption(path, "a blue ghost")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["a.b.png", f"a.b{ending}"]), "in the same file"
    assert read_caption(path) == "a blue ghost"
    restore_caption_file(path, None)
    assert [p.name for p in tmp_path.iterdir()] == ["a.b.png"]


def test_lines_become_one(tmp_path):
    assert read_caption(picture(tmp_path, "a.png", b"a red ghost,\r\n on a beach\n\n at night ")) == (
        "a red ghost, on a beach at night")


def test_what_cannot_be_a_caption_leaves_its_picture_out_and_is_named(tmp_path):
    picture(tmp_path, "good.png", b"a ghost")
    picture(tmp_path, "large.png", b"x" * (LONGEST + 1))
    picture(tmp_path, "folder.png")
    (tmp_path / "folder.txt").mkdir()
    found = find_pictures(Concept(str(tmp_path)))
    assert [item.path.name for item in found.items] == ["folder.png", "good.png"]
    assert len(found.problems) == 1 and "large.txt is too large for a caption" in found.problems[0]


def test_a_caption_not_in_utf8_is_named_with_what_was_read(tmp_path):
    picture(tmp_path, "a.png", "一个红色的幽灵".encode("gb18030"))
    picture(tmp_path, "b.png", "a red ghost".encode("utf-16-le"), ".caption")
    picture(tmp_path, "c.png", "ein Männchen".encode())
    said = [problem.text for problem in problems(tmp_path, "encoding")]
    assert len(said) == 2
    assert said[0].startswith("a.txt is not in UTF-8 and was read as GBK: '一个红色的幽灵'.")
    assert said[1].startswith("b.caption is not in UTF-8 and was read as UTF-16: 'a red ghost'.")


def test_many_captions_of_one_encoding_are_one_problem(tmp_path):
    for n in range(6):
        picture(tmp_path, f"{n}.png", f"红色的幽灵 {n}".encode("gb18030"))
    said, = problems(tmp_path, "encoding")
    assert "0.txt and 5 other captions are not in UTF-8" in said.text


@pytest.mark.parametrize("names, prompt, said", [
    (("IMG_01.png", "IMG_02.png"), "[filewords]", "with the prompt 'IMG'"),
    (("1.png", "2.png"), "", "without a prompt"),
    (("IMG_01.png",), "a zwx ghost, [filewords]", "with the prompt 'a zwx ghost, IMG'")])
def test_a_folder_without_any_caption_is_the_loudest_problem(tmp_path, names, prompt, said):
    for name in names:
        picture(tmp_path, name)
    run = from_dict({"concepts": [{"folder": str(tmp_path), "instance_prompt": prompt}], "data": {"resolution": 64}})
    first = find_problems(run)[0]
    assert first.kind == "no-captions" == next(iter(KINDS)) and said in first.text and names[0] in first.text


def test_a_folder_that_says_itself_what_it_shows_needs_no_captions(tmp_path):
    picture(tmp_path / "10_zwx ghost", "1.png")
    assert problems(tmp_path, "no-captions") == []
    picture(tmp_path / "other", "1.png")
    assert problems(tmp_path / "other", "no-captions", instance_prompt="a zwx ghost") == []
