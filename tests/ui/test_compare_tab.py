"""The Compare tab without a browser: grids that are drawn, cancelled and drawn again."""

import gradio as gr
import pytest
from PIL import Image
from shown import Shown

from extension_lib.config.presets import defaults
from extension_lib.ui.tabs.compare_tab import CompareTab
from extension_lib.workspaces import rearrange, workspace

# file, prompts, weights, seeds, negative, steps, CFG scale, size
ASKED = ("ghost", "a ghost", "0, 0.5, 1", "1", "", 4, 2.0, 64)


class Drawing(Shown):
    """It draws pictures of nothing, and knows which."""

    def draw(self, pictures):
        self.drawn = pictures
        return [Image.new("RGB", (p.width, p.height)) for p in pictures]


@pytest.fixture
def tab(tmp_path):
    host = Drawing(tmp_path)
    host.folders.lora.mkdir()
    (host.folders.lora / "ghost.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    workspace.create_workspace(host.folders.workspaces, "ghost", defaults("lora"))
    with gr.Blocks():
        return CompareTab(host)


def test_a_grid_is_drawn_to_its_end_and_listed(tab):
    *_, (said, *_, earlier) = tab.compare_files("ghost", *ASKED)
    assert "Done" in said and len(earlier["choices"]) == 1


def test_a_grid_is_drawn_with_the_sampler_and_clip_skip_of_its_workspace(tab):
    run = defaults("lora").with_values({"previews": {"sampler": "DPM++ 2M"}, "data": {"clip_skip": 2}})
    workspace.open_workspace(tab.host.folders.workspaces, "ghost").save_run(run)
    for space, how in (("ghost", ("DPM++ 2M", 2)), (None, ("Euler", 1))):
        list(tab.compare_files(space, *ASKED))
        assert {(p.sampler, p.clip_skip) for p in tab.host.drawn} == {how}


def test_a_prompt_above_a_grid_is_not_translated(tab):
    *_, (_, table, *_), _ = tab.compare_files("ghost", *ASKED)
    assert '<caption><b translate="no">a ghost</b>' in table


def test_a_cancelled_grid_stays_cancelled_when_another_is_begun(tab):
    first, second = tab.compare_files("ghost", *ASKED), tab.compare_files("ghost", *ASKED)
    next(first)
    tab.stop()
    next(second)
    assert "Stopped" in list(first)[-1][0] and "Done" in list(second)[-1][0]


@pytest.mark.parametrize("place, value, said", [
    (0, None, "Choose a file"), (2, "a lot", "are not numbers"), (0, "gone", "gone no longer exists")])
def test_what_cannot_be_compared_is_said(tab, place, value, said):
    asked = [*ASKED]
    asked[place] = value
    (answer, *_), = tab.compare_files("ghost", *asked)
    assert said in answer


def test_the_file_that_a_workspace_left_is_chosen_with_it(tab):
    run = defaults("lora").with_values({"output": {"name": "ghost"}, "base": {"checkpoint": "tiny"}})
    workspace.open_workspace(tab.host.folders.workspaces, "ghost").save_run(run)
    names, _ = tab.change_workspace("ghost")
    assert names["value"] == "ghost"
    (tab.host.folders.lora / "ghost.safetensors").unlink()
    names, _ = tab.change_workspace("ghost")
    assert "value" not in names


def test_a_card_is_put_back_for_the_grid_that_is_shown(tab):
    """A grid that is looked at again brings its chosen picture along; one without has none."""
    *_, last = tab.compare_files("ghost", *ASKED)
    name = last[-1]["choices"][0]
    assert tab.show_saved_grid("ghost", name)[-1] == ""
    tab.choose_cell(f"ghost/{name}/1")
    assert tab.show_saved_grid("ghost", name)[-1] == f"ghost/{name}/1"


def test_a_grid_whose_pictures_are_gone_is_named(tab):
    *_, last = tab.compare_files("ghost", *ASKED)
    name = last[-1]["choices"][0]
    grid = tab.workspace_folder("ghost") / "grids" / name
    (grid / "0000.png").unlink()
    assert "0000.png" in tab.show_saved_grid("ghost", name)[0]


def test_a_workspace_deleted_meanwhile_is_not_made_again_by_a_grid(tab):
    rearrange.move_to_trash(workspace.open_workspace(tab.host.folders.workspaces, "ghost"))
    (said, *_), = tab.compare_files("ghost", *ASKED)
    assert "There is no workspace ghost" in said and not tab.workspace_folder("ghost").exists()


def test_why_nothing_can_be_compared_stays_on_the_page(tab):
    (tab.host.folders.lora / "ghost.safetensors").unlink()
    ready, _, said, *_ = tab.prepare("ghost")
    assert not ready and "There is no file" in said
    assert list(tab.compare_if_ready(ready, "ghost", *ASKED)) == [(gr.update(),) * 6]
