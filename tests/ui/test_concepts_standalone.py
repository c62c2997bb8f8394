"""The Concepts tab in a real browser: check, choose, write, drop."""

from pathlib import Path
from random import Random

import gradio as gr
import pytest
from browser import choose_tab, chromium, create, fill, launched, unfold
from planted import planted
from shown import Shown

from extension_lib.data.captions import read_caption
from extension_lib.ui.page import Page

pytestmark = [pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason="there is no Chromium here")]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("studio 工作")


@pytest.fixture(scope="module")
def url(root):
    with gr.Blocks() as blocks:
        Page(Shown(root))
    with launched(blocks, allowed_paths=[str(root)]) as address:
        yield address


@pytest.fixture(scope="module")
def folder(root):
    planted(root / "照片", Random(7), 0, kinds=("duplicate", "trigger-absent"))
    return root / "照片"


def test_a_folder_is_checked_a_caption_written_and_more_pictures_dropped(page, root, folder):
    create(page, "ghost")
    choose_tab(page, "Concepts")
    fill(page, "darkroom_concepts_folder", folder)
    page.click("#darkroom_look")
    page.wait_for_selector("#darkroom_found .darkroom-finding img")
    page.locator("#darkroom_gallery button:has(img)").first.click()
    page.wait_for_selector("#darkroom_framed img")
    name = page.inner_text("#darkroom_framed figcaption b")
    fill(page, "darkroom_caption", "a zwx ghost 在雪里")
    page.click("#darkroom_caption_next")
    page.wait_for_selector("#darkroom_caption_answer >> text=Saved")
    assert read_caption(folder / name) == "a zwx ghost 在雪里"
    assert page.inner_text("#darkroom_framed figcaption b") != name
    unfold(page, "Caption tools")
    fill(page, "darkroom_tools_find", "ghost")
    page.click("#darkroom_tools_preview")
    page.wait_for_selector("#darkroom_tools_answer table")
    page.locator("#darkroom_drop input[type=file]").set_input_files(sorted(map(str, folder.iterdir()))[:2])
    page.wait_for_selector("#darkroom_dropped >> text=Copied 1 picture and 1 caption")
    used = page.locator("#darkroom_concepts_folder").locator("textarea, input").first.input_value()
    assert Path(used) == root / "workspaces" / "ghost" / "pictures" and len(list(Path(used).iterdir())) == 2
