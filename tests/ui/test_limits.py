"""A page whose owner limits its folders reads no others, whatever it is told."""

from dataclasses import replace

import gradio as gr
import pytest
from helpers import draw_pictures
from shown import Shown

from extension_lib.data.folder import FolderError
from extension_lib.data.limits import within_limits
from extension_lib.ui.page import Page
from extension_lib.workspaces import workspace


@pytest.fixture(params=["none", "one"])
def named(request, tmp_path):
    return () if request.param == "none" else (draw_pictures(tmp_path / "mine"),)


@pytest.fixture
def page(tmp_path, named):
    host = Shown(tmp_path / "studio")
    host.folders = replace(host.folders, named=named)
    with gr.Blocks():
        return Page(host)


@pytest.fixture
def private(tmp_path):
    return draw_pictures(tmp_path / "private")


@pytest.fixture
def ghost(page, private):
    """A workspace that names a private folder, as one that was sent may."""
    assert page.layout.model.create_workspace("ghost", "toyland", "person", "lora")[0] == "ghost"
    space = workspace.open_workspace(page.layout.host.folders.workspaces, "ghost")
    space.save_run(space.read_run().with_values({"concepts": [{"folder": str(private)}]}))
    return space


def told(page, **concept):
    """What the page sends."""
    layout = page.layout
    values = {layout.model.workspace: "ghost", layout.train.method: "lora", layout.concepts.all: [{}],
              layout.concepts.current: 0}
    values.update({part: getattr(part, "value", None) for part in layout.run_fields if part not in values})
    return {**values, **{layout.concepts.fields[name]: value for name, value in concept.items()}}


@pytest.mark.parametrize("name", ["folder", "class_folder"])
def test_a_private_folder_is_neither_shown_nor_checked_nor_trained_on(page, ghost, private, name):
    data = told(page, **{"folder": "", name: str(private)})
    report, steps, gallery, *_ = page.concept_events.check(data)
    assert "This page may not read" in report and not steps and gallery == []
    assert "may not read" in page.train_events.start({**data, page.layout.train.question: None,
                                                       page.layout.train.choices_shown: []})[page.layout.train.answer]
    assert "pictures" not in page.layout.steps_text(data)


def test_a_workspace_s_own_settings_open_no_private_folder(page, ghost):
    shown = page.workspace_events.show_workspace("ghost")
    assert shown[page.layout.train.arithmetic] == ""
    ready, _, answer, *_ = page.layout.compare.prepare("ghost")
    assert not ready and "This page may not read" in answer


def test_text_that_names_a_private_folder_is_not_applied(page, ghost, private):
    text = f"[[concepts]]\nfolder = {str(private)!r}"
    answer = page.settings_events.apply_text({**told(page, folder=""), page.layout.train.text.text: text})
    assert "This page may not read" in answer[page.layout.train.text.answer]


def test_nothing_is_imported_from_a_private_folder(page, ghost, private, tmp_path):
    (private / "run.toml").write_text("[output]\nname = 'stolen'", encoding="utf-8")
    (tmp_path / "dropped.toml").write_text(f"[output]\nname = 'x'\n[[concepts]]\nfolder = {str(private)!r}",
                                           encoding="utf-8")
    panel = page.layout.model.importing
    upload = str(tmp_path / "dropped.toml")
    for given in ((str(private), None), (str(private / "run.toml"), None), ("", upload)):
        made, answer = panel.import_settings(*given, "", "toyland")
        assert made is None and "This page may not read" in answer


def test_folders_that_its_owner_named_and_dropped_pictures_are_used(page, ghost, named):
    folder = named[0] if named else draw_pictures(ghost.folder / "pictures")
    report, *_ = page.concept_events.check(told(page, folder=str(folder)))
    assert "5 pictures" in report


def test_fields_for_folders_are_there_where_any_may_be_named(page, named):
    layout = page.layout
    fields = (layout.concepts.fields["folder"], layout.concepts.fields["class_folder"], layout.model.importing.path)
    assert {field.visible for field in fields} == {bool(named)}


def test_a_device_is_no_file_to_import(tmp_path):
    host = Shown(tmp_path)
    with gr.Blocks():
        panel = Page(host).layout.model.importing
    made, answer = panel.import_settings("/dev/zero", None, "", "toyland")
    assert made is None and ("neither a file nor a folder" in answer or "There is no file" in answer)


def test_without_limits_any_folder_may_be_named(tmp_path, private):
    run = workspace.from_dict({"concepts": [{"folder": str(private)}]})
    assert within_limits(run, Shown(tmp_path).folders) is run
    with pytest.raises(FolderError):
        within_limits(run, replace(Shown(tmp_path).folders, named=(tmp_path / "other",)))
