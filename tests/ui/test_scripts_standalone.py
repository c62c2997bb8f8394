"""No text that a workspace or a folder may hold runs as a script on the page: each is filled with one, in a browser."""

import json
import os
import time

import gradio as gr
import pytest
from browser import choose_tab, chromium, entered, fill, launched, opened, settled, unfold
from helpers import draw_pictures
from PIL import Image

from extension_lib.config.run import from_dict
from extension_lib.events import Alarmed, Measured, Previewed, Saved, Stepped, Warned
from extension_lib.overnight.queue import queue_of
from extension_lib.runs import job as jobs
from extension_lib.ui.failures import show_failures
from extension_lib.workspaces import workspace
from extension_lib.workspaces.record import recording, write_previews

pytestmark = [
    pytest.mark.browser, pytest.mark.skipif(chromium() is None, reason="there is no Chromium here"),
    pytest.mark.skipif(os.name == "nt", reason="Windows allows no file of such a name")]

NAME = "\"'><img src=x onerror=window.hacked=1>"  # also of files: without a slash
TEXT = f"{NAME}<script>window.hacked=1</script><svg onload=window.hacked=1>${{window.hacked=1}}{{{{window.hacked=1}}}}"
SHOWN = "onerror=window.hacked"  # of each, as text


@pytest.fixture(scope="module")
def filled(host, tmp_path_factory):
    """A workspace in which all is a script, as someone may send it."""
    folder = draw_pictures(tmp_path_factory.mktemp("pictures"), 2, caption=f"{TEXT}, tag")
    for path in folder.iterdir():
        path.rename(folder / f"{NAME}{path.name}")
    (folder / f"{NAME}broken.png").write_bytes(b"none")
    root = host.folders.workspaces
    space = workspace.Workspace(root / NAME)
    run = from_dict({"output": {"name": TEXT}, "base": {"checkpoint": TEXT}, "data": {"resolution": 64},
                     "concepts": [{"folder": str(folder), "instance_prompt": f"{TEXT} [filewords]", "word": TEXT,
                                   "class_prompt": TEXT}],
                     "previews": {"prompts": [TEXT], "sampler": TEXT}})
    space.folder.mkdir(parents=True)
    (space.folder / workspace.ABOUT).write_text("lifetime = 3", encoding="utf-8")
    space.update_about(purpose=TEXT, created=TEXT)
    space.save_run(run)
    log = space.new_log()
    job = jobs.Job(run, host, space, None)
    with recording(log, run) as record:
        record.line(Stepped(1, 0.5, 1e-4))
        record.line(Measured(1, 0.5, 1.0, True, TEXT))
        log.write_line("ended", step=1, why=TEXT, failed=True)
        log.write_line(TEXT, text=TEXT)
    previews = write_previews(log, 1, [Image.new("RGB", (8, 8))])
    for event in (Stepped(1, 0.5, 1e-4), Alarmed(1, TEXT, TEXT, TEXT), Warned(TEXT), Previewed(1, previews),
                  Saved(1, folder / f"{NAME}0.png")):
        job.keep(event)
    jobs.jobs.append(job)
    grid = space.folder / "grids" / NAME
    grid.mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(grid / f"{NAME}.png")
    cell = {"step": TEXT, "weight": 1.0, "prompt": TEXT, "seed": 1}
    (grid / "grid.json").write_text(json.dumps({
        "label": TEXT, "weights": [1.0], "steps": [TEXT], "prompts": [TEXT], "seeds": [1], "best": 0,
        "cells": [{"cell": cell, "called": TEXT, "file": f"{NAME}.png"}],
        "picture": {"prompt": TEXT, "negative": TEXT, "sampler": TEXT, "width": 8, "height": 8}}), encoding="utf-8")
    for place in (host.folders.lora, root / workspace.PRESETS, root / workspace.TRASH / NAME):
        place.mkdir(parents=True, exist_ok=True)
    (host.folders.lora / f"{NAME}.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")
    (root / workspace.PRESETS / f"{NAME}.toml").write_text("", encoding="utf-8")
    (root / workspace.TRASH / NAME / "run.toml").write_text("", encoding="utf-8")
    queue = queue_of(host.folders)
    queue.update(queue.add(run, NAME).id, state="interrupted", reason=TEXT, method=TEXT)
    yield space
    if job in jobs.jobs:
        jobs.jobs.remove(job)


def seen(page, *places):
    """Waits until each place shows the script as text."""
    for place in places:
        page.wait_for_function("([place, text]) => document.querySelector(place)?.innerText?.includes(text)",
                               arg=[place, SHOWN], timeout=20_000)
    assert not page.evaluate("window.hacked"), places


def test_a_workspace_of_scripts_runs_none(filled, url):
    with opened(url) as page:
        page.set_default_timeout(20_000)
        entered(page)
        seen(page, "#darkroom_corner b", "#darkroom_about .darkroom-tile", "#darkroom_about table")
        page.click("#darkroom_corner >> text=Hide")
        page.locator(".darkroom-tile").first.click()
        page.locator("#darkroom_workspace input").click()
        page.get_by_role("option").first.wait_for()
        page.keyboard.press("Escape")

        choose_tab(page, "Concepts")
        page.click("#darkroom_look")
        seen(page, "#darkroom_found .darkroom-check")
        page.locator("#darkroom_gallery button img").first.click()
        seen(page, "#darkroom_framed figure")
        page.click("#darkroom_caption_save")
        page.wait_for_selector("#darkroom_caption_answer >> text=Saved")
        seen(page, "#darkroom_caption_answer", "#darkroom_caption")
        unfold(page, "Caption tools")
        fill(page, "darkroom_tools_find", "tag")
        for button in ("tags", "preview"):
            page.click(f"#darkroom_tools_{button}")
            page.wait_for_selector(f"#darkroom_tools_answer {'.darkroom-tag' if button == 'tags' else 'table'}")
            seen(page, "#darkroom_tools_answer")

        choose_tab(page, "Train")
        seen(page, *(f"#darkroom_live .darkroom-{part}" for part in ("head", "alarm", "warning", "copies")),
             "#darkroom_previews th[scope=row]")
        fill(page, "darkroom_training_steps", "7")
        page.wait_for_selector("#darkroom_starts >> text=changed")
        page.click("#darkroom_train")
        seen(page, "#darkroom_answer")

        choose_tab(page, "Queue")
        seen(page, "#darkroom_queue_asks", "#darkroom_queue_table tr[data-id]")

        choose_tab(page, "Compare")
        page.locator("#darkroom_compare_earlier input").click()
        page.get_by_role("option").first.click()
        seen(page, "#darkroom_grid caption", "#darkroom_grid tbody th", "#darkroom_chosen figcaption")
        page.locator("#darkroom_grid .darkroom-cell").click()
        seen(page, "#darkroom_compare_answer")

        choose_tab(page, "Runs")
        seen(page, "#darkroom_runs_plot table", "#darkroom_runs_plot .darkroom-legend")

        page.wait_for_timeout(500)  # what was put in may load later
        assert not page.evaluate("window.hacked") and settled(page, lambda: page.problems) == []


def test_an_import_of_scripts_runs_none(url, tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "jobs", [])
    path = tmp_path / f"{NAME}.json"
    path.write_text(json.dumps({"train_batch_size": 1, "LoRA_type": "Standard", TEXT: TEXT, "output_name": "named",
                                "pretrained_model_name_or_path": TEXT}), encoding="utf-8")
    with opened(url) as page:
        page.set_default_timeout(20_000)
        entered(page)
        unfold(page, "Import from another trainer")
        fill(page, "darkroom_import_path", path)
        page.click("#darkroom_import_go")
        seen(page, "#darkroom_import_answer")


def test_a_failure_that_quotes_a_script_runs_none():
    def fail():
        raise RuntimeError(TEXT)

    with gr.Blocks() as blocks:
        named = gr.Textbox("", label="Named", info=f"Saved in {NAME}.", elem_id="named")
        gr.Button("fail", elem_id="fail").click(fail, None, [named])
        show_failures(blocks)
    with launched(blocks) as address, opened(address) as page:
        page.click("#fail")
        seen(page, "#named", ".toast-wrap")
        time.sleep(0.5)
        seen(page, "#named", ".toast-wrap")
