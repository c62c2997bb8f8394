"""Comparing in a real WebUI: its own X/Y/Z plot with Darkroom's axes, and the grid of the Compare tab."""

import json
import urllib.parse
from itertools import product

import numpy as np
import pytest
from browser import begin, choose_method, choose_tab, create, show_pictures, unfold, wait_for_end
from PIL import Image
from webui.complaints import of_ours
from webui.plots import grid_after_training, plotted
from webui.training import pixels

from toyland.subjects import SUBJECTS

GHOST = SUBJECTS["ghost"]
PROMPT = f"{GHOST.prompt} on the beach"
STEPS, HALF = 40, 20


def train(page, name, method):
    create(page, name)
    show_pictures(page, GHOST.folder)
    choose_tab(page, "Train")
    choose_method(page, method)
    page.wait_for_timeout(1500)
    unfold(page, "Saving")
    begin(page, training_steps=STEPS, saving_save_every=HALF)
    assert f"All {STEPS} steps are done" in wait_for_end(page, 300)


@pytest.fixture(scope="module")
def files(page):
    """A LoHa and a LoRA, each with a copy by step."""
    train(page, "haze", "LoHa")
    train(page, "ghost", "LoRA")


def single(webui, tag, **more):
    return pixels(webui.txt2img(f"{PROMPT} {tag}".strip(), **more))


def tag_of(name, step, weight):
    stem = name if step == "last" else f"{name}-{int(step):06d}"
    return f"<lora:{stem}:{weight:g}>" if weight else ""


def test_weight_and_cfg_cells_equal_single_pictures(webui, files, seen):
    cells = plotted(webui, f"{PROMPT} <lora:ghost:1>", ("[Darkroom] weight", (0, 0.5, 1)), ("CFG Scale", (1, 4)))
    for (weight, cfg), cell in cells.items():
        assert np.array_equal(cell, single(webui, tag_of("ghost", "last", weight), cfg_scale=cfg)), (weight, cfg)
    assert len({cell.tobytes() for cell in cells.values()}) == 6
    seen({"cells": len(cells)})


def test_file_step_and_seed_cells_equal_single_pictures(webui, files, seen):
    cells = plotted(webui, PROMPT, ("[Darkroom] training step", (str(HALF), "last")), ("Seed", (1, 2)),
                    ("[Darkroom] file", ("ghost", "haze")))
    for (step, seed, name), cell in cells.items():
        assert np.array_equal(cell, single(webui, tag_of(name, step, 1), seed=seed)), (step, seed, name)
    assert len({cell.tobytes() for cell in cells.values()}) == 8
    seen({"cells": len(cells)})


def test_method_beside_prompt_search_and_replace(webui, files, seen):
    cells = plotted(webui, PROMPT, ("[Darkroom] method", ("LoRA", "LoHa")), ("Prompt S/R", ("beach", "snow")))
    for (method, place), cell in cells.items():
        name = {"LoRA": "ghost", "LoHa": "haze"}[method]
        alone = pixels(webui.txt2img(f"{PROMPT.replace('beach', place)} <lora:{name}:1>"))
        assert np.array_equal(cell, alone), (method, place)
    seen({"cells": len(cells)})


def test_the_plot_by_clicking(page, webui, files, seen):
    page.get_by_role("button", name="txt2img", exact=True).first.click()
    page.locator("#txt2img_prompt textarea").fill(f"{PROMPT} <lora:ghost:1>")
    for name, value in (("width", 64), ("height", 64), ("steps", 20), ("cfg_scale", 4)):
        page.locator(f"#txt2img_{name} input[type=number]").fill(str(value))
        page.keyboard.press("Tab")
    page.locator("#txt2img_seed input").fill("1")
    page.locator("#script_list input").first.click()
    page.locator("#script_list li", has_text="X/Y/Z plot").first.click()
    choose_axis(page, "x", "[Darkroom] training step")
    page.locator("#xyz_grid_fill_x_tool_button").first.click()
    page.wait_for_timeout(1000)
    choose_axis(page, "y", "Seed")
    values = "#script_txt2img_xyz_plot_y_values"
    page.locator(f"{values} textarea, {values} input").first.fill("1, 2")
    page.locator("#script_txt2img_xyz_plot_draw_legend input").uncheck()
    page.wait_for_timeout(500)
    page.click("#txt2img_generate")
    page.wait_for_selector("#txt2img_gallery img", timeout=120_000)
    page.wait_for_function("() => document.querySelector('#txt2img_interrupt').offsetParent === null", timeout=120_000)
    page.wait_for_timeout(1000)
    address = page.locator("#txt2img_gallery img").first.get_attribute("src")
    whole = pixels(page.request.get(urllib.parse.urljoin(webui.url, address)).body())
    assert whole.shape == (128, 128, 3)
    for (x, step), (y, seed) in product(enumerate((str(HALF), "last")), enumerate((1, 2))):
        cell = whole[64 * y:64 * y + 64, 64 * x:64 * x + 64]
        alone = single(webui, tag_of("ghost", step, 1), seed=seed, sampler_name="DPM++ 2M")
        assert np.array_equal(cell, alone), (step, seed)
    assert of_ours(page) == []
    seen({"cells": 4})


def choose_axis(page, which, label):
    page.locator(f"#script_txt2img_xyz_plot_{which}_type input").first.click()
    page.locator(f"#script_txt2img_xyz_plot_{which}_type li", has_text=label).first.click()
    page.wait_for_timeout(1500)


def test_one_click_after_training_the_best_cell_and_txt2img(page, webui, files, seen):
    page.get_by_role("button", name="Darkroom", exact=True).first.click()
    choose_tab(page, "Train")
    worst, folder, about = grid_after_training(page, webui, "ghost")
    assert worst <= 2
    picture = about["picture"]
    text = Image.open(folder / about["cells"][-1]["file"]).info["parameters"]
    assert "Model hash" in text and text.startswith(about["cells"][-1]["called"]) and "<lora:ghost:1>" in text
    page.locator(".darkroom-cell").nth(3).click()
    page.wait_for_selector("#darkroom_compare_answer >> text=preferred weight 0.75")
    card = json.loads((webui.loras / f"ghost-{HALF:06d}.json").read_text(encoding="utf-8"))
    assert card["preferred weight"] == 0.75 and card["activation text"]
    page.click("#darkroom_compare_send")
    page.wait_for_function("tag => document.querySelector('#txt2img_prompt textarea').value.endsWith(tag)",
                           arg=f"<lora:ghost-{HALF:06d}:0.75>")
    page.wait_for_function("() => document.querySelector('#txt2img_sampling input').value == 'Euler'")
    sent = {name: page.locator(f"#txt2img_{name} input").first.input_value()
            for name in ("steps", "cfg_scale", "width", "seed")}
    assert {name: float(value) for name, value in sent.items()} == {
        "steps": picture["steps"], "cfg_scale": picture["cfg"], "width": picture["width"], "seed": about["seeds"][0]}
    assert page.locator("#txt2img_prompt").is_visible()
    assert of_ours(page) == []
    seen({"largest_difference_of_255": worst})
