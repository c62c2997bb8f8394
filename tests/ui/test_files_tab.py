"""The Files tab without a browser: each tool makes what it says, in the folder where it belongs."""

import shutil

import gradio as gr
import pytest
from adapters import file_of
from helpers import BASE
from shown import Shown

from extension_lib.files.describe import describe
from extension_lib.files.layouts import LAYOUTS as KNOWN
from extension_lib.files.progress import finished
from extension_lib.host import Checkpoint
from extension_lib.ui.panels.file_tools import AS_IT_IS, FULL, LAYOUTS, RANK, TOOLS
from extension_lib.ui.tabs.files_tab import FilesTab
from extension_lib.ui.views.blocks_view import strength_svg

VALUES = {"others": "", "weight": 1.0, "blocks": "", "keep": RANK, "amount": 2, "tuned": None,
          "layout": next(iter(LAYOUTS)), "precision": AS_IT_IS, "name": "new", "replace": False}
ADD, AT_ONE, RESIZE, MERGE, EXTRACT, CONVERT = TOOLS


class Own(Shown):
    refreshed = 0

    def checkpoints(self):
        return [Checkpoint("toyland", BASE), Checkpoint("other", self.folders.checkpoints / "new.safetensors")]

    def refresh(self):
        self.refreshed += 1


@pytest.fixture
def tab(tmp_path):
    host = Own(tmp_path)
    (host.folders.lora / "people").mkdir(parents=True)
    shutil.copy(file_of("lora"), host.folders.lora / "people" / "ghost.safetensors")
    shutil.copy(file_of("oft"), host.folders.lora / "turned.safetensors")
    with gr.Blocks():
        return FilesTab(host)


def used(tab, tool, file="people/ghost.safetensors", base=None, **fields):
    *_, (answer, _) = tab.run_tool(tool, file, base, *{**VALUES, **fields}.values())
    return answer


def made(tab, name="new.safetensors"):
    return finished(describe(tab.host.folders.lora / name))


def test_files_are_listed_with_their_folders(tab):
    assert tab.tools.files() == ["people/ghost.safetensors", "turned.safetensors"]


def test_a_file_is_described_with_a_picture_of_its_blocks_and_checked(tab):
    *_, (_, about) = tab.tell("people/ghost.safetensors", None)
    assert "Stable Diffusion 1" in about and "<svg" in about and "IN01" in about
    *_, (answer, _) = tab.look("turned.safetensors", "toyland")
    assert "Nothing is wrong" in answer


def test_files_are_added_up_with_weights_and_blocks(tab):
    before = finished(describe(tab.host.folders.lora / "people" / "ghost.safetensors")).strength
    answer = used(tab, ADD, others="people/ghost.safetensors:-0.5\n", weight=1.0, blocks="BASE:0.5")
    assert "Saved as" in answer and tab.host.refreshed == 1
    assert made(tab).strength["IN01"] == pytest.approx(before["IN01"] / 2, rel=1e-4)
    assert "BASE" not in made(tab).strength


def test_a_file_is_made_to_work_at_weight_1(tab):
    tab.save_words("people/ghost.safetensors", "ghost", "zwx", 0.5, "")
    before = finished(describe(tab.host.folders.lora / "people" / "ghost.safetensors")).strength
    used(tab, AT_ONE)
    assert made(tab).strength["IN01"] == pytest.approx(before["IN01"] / 2, rel=1e-4)


def test_a_kind_that_multiplies_the_base_is_exported_with_one(tab):
    assert "Name that checkpoint as the base" in used(tab, RESIZE, "turned.safetensors", amount=4)
    answer = used(tab, RESIZE, "turned.safetensors", "toyland", amount=4)
    assert "largest rank is 4" in answer and list(made(tab).kinds) == ["LoRA"]
    used(tab, RESIZE, "turned.safetensors", "toyland", keep=FULL, name="whole")
    assert list(made(tab, "whole.safetensors").kinds) == ["Full (difference)"]


def test_a_file_goes_into_a_checkpoint_and_comes_out_again(tab):
    assert "Saved as" in used(tab, MERGE, base="toyland", precision="fp32")
    assert (tab.host.folders.checkpoints / "new.safetensors").exists()
    assert "relative error" in used(tab, EXTRACT, base="toyland", tuned="other", amount=4)
    assert dict(made(tab).ranks).keys() == {4}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_that_the_webui_does_not_read_goes_where_it_is_not_listed(tab, layout):
    assert LAYOUTS[layout] in KNOWN and "Saved as" in used(tab, CONVERT, layout=layout)
    assert (len(tab.tools.files()) == 3) == (LAYOUTS[layout] == "kohya")


@pytest.mark.parametrize("change, said", [
    ({"file": None}, "Choose a file first"), ({"file": "../x.safetensors"}, "There is no file"),
    ({"name": ""}, "empty"), ({"name": "../x"}, "cannot be a file"),
    ({"others": "people/ghost:lots"}, "is no file with its weight"),
    ({"tool": MERGE}, "Choose a checkpoint first"), ({"tool": RESIZE, "amount": None}, "Enter how much"),
    ({"base": "nothing"}, "There is no checkpoint")])
def test_what_cannot_be_is_one_sentence(tab, change, said):
    assert said in used(tab, **{"tool": ADD, **change})


def test_a_tool_shows_the_fields_that_it_needs(tab):
    for tool, (_, needed) in TOOLS.items():
        shown = {name for name, update in zip(tab.fields, tab.show_fields(tool)) if update["visible"]}
        assert shown == set(needed)


def test_words_are_read_and_saved(tab):
    answer, listed = tab.save_words("people/ghost.safetensors", "spirit", "zwx", 0.7, "mine")
    assert "Saved in" in answer and listed["value"] == "people/spirit.safetensors"
    assert tab.read_words("people/spirit.safetensors") == ("spirit", "zwx", 0.7, "mine")
    assert tab.read_words("gone") == ("", "", None, "")


def test_the_picture_of_a_file_is_a_picture_of_its_own():
    import xml.etree.ElementTree as ElementTree

    root = ElementTree.fromstring(strength_svg({"IN01": 2.0, "MID": 1.0}))
    bars = [float(one.get("height")) for one in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert bars == [120.0, 60.0] and strength_svg({}) == ""
