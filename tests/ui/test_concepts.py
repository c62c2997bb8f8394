"""What the Concepts tab's controls do, without a browser, in this environment's Gradio."""

from pathlib import Path
from random import Random
from types import SimpleNamespace

import gradio as gr
import pytest
from PIL import Image
from planted import planted
from shown import Shown

from extension_lib.data.captions import read_caption
from extension_lib.data.doctor import find_problems
from extension_lib.data.folder import find_all_pictures
from extension_lib.setup import picture_readers
from extension_lib.ui.page import Page
from extension_lib.ui.panels import pictures_panel
from extension_lib.ui.views import check_view


@pytest.fixture
def page(tmp_path):
    with gr.Blocks():
        made = Page(Shown(tmp_path))
    made.workspace_events.create("ghost", "toyland", "thing", "lora")
    return made


@pytest.fixture
def folder(tmp_path):
    planted(tmp_path / "照片 <b>", Random(7), 0, kinds=("unreadable", "duplicate", "missing-caption", "trigger-absent"))
    return tmp_path / "照片 <b>"


def said(page, folder="", **more):
    """What a browser would send: every component's value."""
    tab = page.layout.concepts
    tools, pictures = tab.tools, tab.pictures
    parts = {
        *page.layout.run_fields, tools.find, tools.replace, tools.before, tools.after, tools.undoable, tools.how,
        tools.which, pictures.paths, pictures.chosen, pictures.caption, pictures.page, tab.upload
    }
    data = {part: part.value for part in parts}
    data.update({page.layout.model.workspace: "ghost", tab.all: [{}], tab.current: 0, tab.fields["folder"]: str(folder),
                 page.layout.train.form.components["data", "resolution"]: 256})
    return {**data, **more.pop("also", {})}


def paths(folder):
    return sorted(str(p) for p in folder.iterdir() if p.suffix in (".png", ".jpg", ".webp"))


def test_the_check_shows_the_table_and_every_finding_beside_its_picture(page, folder):
    found, line, _, _, shown, *_ = page.concept_events.check(said(page, folder))
    run = page.layout.open_workspace("ghost").read_run()
    problems = find_problems(run)
    assert found.count('class="darkroom-finding"') == len({p.kind for p in problems}) == 4
    assert found.count("<img") >= len([p for p in problems if p.kind != "unreadable"])
    assert "per epoch" in line and line in found and shown == [str(i.path) for i in find_all_pictures(run)[0].items]
    assert "照片 <b>" not in found


def test_a_clean_folder_says_so(page, tmp_path):
    planted(tmp_path / "clean", Random(3), 0)
    found, *_ = page.concept_events.check(said(page, tmp_path / "clean"))
    assert "No problems found" in found and "darkroom-finding" not in found


def test_a_folder_that_is_not_there_is_named(page, tmp_path):
    found, line, gallery, *_ = page.concept_events.check(said(page, tmp_path / "nowhere"))
    assert "There is no folder" in found and line == "" and gallery == []


def test_a_chosen_picture_is_shown_with_its_caption_and_saved_beside_it(page, folder):
    panel = page.layout.concepts.pictures
    shown = paths(folder)
    chosen, picture, box, answer = panel.choose(said(page, folder, also={panel.paths: shown}), SimpleNamespace(index=1))
    assert chosen == shown[1] and "<img" in picture and box["value"] == (read_caption(Path(chosen)) or "")
    data = said(page, folder, also={panel.paths: shown, panel.chosen: chosen, panel.caption: "新的 caption, zwx"})
    gallery, after, *_ = panel.save_and_next(data)
    assert read_caption(Path(chosen)) == "新的 caption, zwx" and after == shown[2]
    assert "新的 caption, zwx" in [prompt for _, prompt in gallery]
    assert panel.save_caption(data)[1] == chosen


def test_saving_without_a_choice_says_so_and_writes_nothing(page, folder):
    before = sorted(p.name for p in folder.iterdir())
    assert "Choose a picture" in page.layout.concepts.pictures.save_caption(said(page, folder))[-1]
    assert sorted(p.name for p in folder.iterdir()) == before


def test_a_picture_that_is_gone_is_named(page, folder):
    panel = page.layout.concepts.pictures
    gone = paths(folder)[1]
    Path(gone).unlink()
    assert Path(gone).name in panel.choose(said(page, folder, also={panel.paths: [gone]}), SimpleNamespace(index=0))[-1]


def test_many_pictures_come_in_pages(page, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures_panel, "THUMBNAILS", 3)
    for n in range(7):
        Image.new("RGB", (64, 64), (n, 0, 0)).save(tmp_path / f"{n}.png")
    panel = page.layout.concepts.pictures
    gallery, slider, shown, *_ = panel.turn_page(said(page, tmp_path, also={panel.page: 3}))
    assert len(gallery) == 1 and [Path(p).name
                                  for p in shown] == ["6.png"] and slider["maximum"] == 3 and slider["visible"]


def test_pictures_from_any_folder_are_shown_small_and_a_broken_one_keeps_its_place(tmp_path):
    Image.new("RGB", (900, 600), (200, 0, 0)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    shown = [pictures_panel.thumbnail(tmp_path / name) for name in ("a.png", "b.png")]
    assert [image.size for image in shown] == [(256, 171), (256, 256)]
    assert [image.getpixel((0, 0)) for image in shown] == [(200, 0, 0), (128, 128, 128)]


TOOLS = {"find": ("ohwx", True), "replace": ("zzz", False), "before": ("start", True), "after": (", end", True)}


@pytest.mark.parametrize("name", TOOLS)
def test_every_tool_changes_captions_and_undo_brings_them_back(page, tmp_path, name):
    folder = tmp_path / "p"
    folder.mkdir()
    Image.new("RGB", (64, 64)).save(folder / "a.png")
    (folder / "a.txt").write_text("ohwx, snow", encoding="utf-8")
    tools = page.layout.concepts.tools
    value, alone = TOOLS[name]
    also = {getattr(tools, name): value, **({} if alone else {tools.find: "snow"})}
    assert "1 caption would change" in tools.preview_edit(said(page, folder, also=also))
    assert read_caption(folder / "a.png") == "ohwx, snow"
    made = tools.apply_edit(said(page, folder, also=also))[1]
    assert read_caption(folder / "a.png") == {"find": "snow", "replace": "ohwx, zzz", "before": "start ohwx, snow",
                                                 "after": "ohwx, snow, end"}[name]
    tools.undo_edit(said(page, folder, also={tools.undoable: made}))
    assert read_caption(folder / "a.png") == "ohwx, snow"


def test_tags_are_counted_and_shuffling_is_shown(page, folder):
    assert "darkroom-tag" in page.layout.concepts.tools.count_tags(said(page, folder))


@pytest.mark.parametrize("which, written", [("Pictures without a caption", 1),
                                            ("All pictures, replacing their captions", 2)])
def test_the_host_s_describer_writes_captions(page, tmp_path, which, written):
    folder = tmp_path / "p"
    folder.mkdir()
    for name in "ab":
        Image.new("RGB", (64, 64)).save(folder / f"{name}.png")
    (folder / "a.txt").write_text("mine", encoding="utf-8")
    tools = page.layout.concepts.tools
    *_, last = tools.describe_pictures(said(page, folder, also={tools.how: "CLIP", tools.which: which}))
    assert len(last[1]) == written and read_caption(folder / "b.png") == "CLIP sees 64 pixels"
    assert (read_caption(folder / "a.png") == "mine") == (written == 1)


def test_without_describers_their_controls_are_hidden(tmp_path):
    host = Shown(tmp_path)
    host.captioners = lambda: ()
    with gr.Blocks():
        page = Page(host)
    assert page.layout.concepts.tools.describing.visible is False


def test_dropped_pictures_are_copied_and_the_concept_uses_them(page, folder):
    tab = page.layout.concepts
    dropped = [SimpleNamespace(name=p) for p in paths(folder)[:2]]
    answer, _, concepts, *_ = page.concept_events.upload_pictures(said(page, folder, also={tab.upload: dropped}))
    space = page.layout.open_workspace("ghost").folder
    assert concepts[0]["folder"] == str(space / "pictures") and len(list((space / "pictures").iterdir())) == 2
    assert "Copied 2 pictures" in answer and str(folder.name.split("<")[0]) in answer


def test_starting_repeats_only_what_is_serious(folder, page):
    page.concept_events.check(said(page, folder))
    run = page.layout.open_workspace("ghost").read_run()
    told = page.train_events.problems_found(run)
    assert told.count("darkroom-warning") == 3 and "mirrored" not in told and "shows the same" not in told
    assert check_view.serious_problems(()) == ""


def test_the_pictures_of_a_workspace_are_there_before_they_are_checked(page, folder):
    shown = page.layout.concepts.pictures
    gallery, _, paths, *_ = page.concept_events.show_pictures(said(page, folder))
    assert len(gallery) == len(paths) > 0
    untouched = page.concept_events.show_pictures({**said(page, folder), shown.paths: paths})
    assert untouched == page.concept_events.show_pictures(said(page)) == [gr.update() for _ in shown.outputs()]


def test_captions_changed_beside_a_concept_without_a_folder_can_be_undone(page, folder):
    tools = page.layout.concepts.tools
    two = {page.layout.concepts.all: [{}, {"folder": ""}], tools.before: "zwx ghost,"}
    answer, made, *_ = tools.apply_edit(said(page, folder, also=two))
    assert "changed" in answer and made
    answer, left, *_ = tools.undo_edit(said(page, folder, also={**two, tools.undoable: made}))
    assert "Restored" in answer and left == []


def test_readers_of_more_formats_are_offered_where_a_picture_needs_one(page, folder, monkeypatch):
    panel = page.layout.concepts.pictures
    _, _, *updates = page.concept_events.check(said(page, folder))
    assert not updates[panel.outputs().index(panel.readers)]["visible"]
    monkeypatch.setattr(picture_readers.Reader, "is_ready", lambda reader: False)
    for others in (True, False):  # beside readable pictures, and alone
        (folder / "IMG_1.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"x" * 40)
        for path in [] if others else paths(folder):
            Path(path).unlink()
        report, _, *updates = page.concept_events.check(said(page, folder))
        assert updates[panel.outputs().index(panel.readers)]["visible"] and "pillow-heif" in report


@pytest.mark.parametrize("problem", ["", "pillow-heif could not be added: no network"])
def test_the_button_installs_them_and_says_what_went_wrong(page, monkeypatch, problem):
    panel = page.layout.concepts.pictures
    monkeypatch.setattr(pictures_panel, "install_readers", lambda: problem)
    answer, button = panel.install_readers()
    assert button["visible"] == bool(problem) and (problem or "They are read now") in answer
