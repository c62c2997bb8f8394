"""The whole way in a real WebUI, by clicking: from pictures to a tag in the prompt."""

import json
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from browser import begin, choose_tab, create, show_pictures, unfold, wait_for_end, wait_for_step
from safetensors.numpy import load_file
from webui.complaints import of_ours
from webui.server import ROOT
from webui.standalone import draw_alike, losses_alike
from webui.training import GHOST, pixels

from extension_lib.config.presets import defaults
from extension_lib.setup import practice

STEPS = defaults("lora", practice.preset()).training.steps
PROMPT = f"{GHOST.prompt} on the beach"
DOCS = ROOT / "docs" / "screenshots"


def shot(page, name):
    DOCS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=DOCS / f"{name}.png")


@pytest.fixture(scope="module")
def before(webui):
    """A fixed-seed picture before anything was trained."""
    return webui.txt2img(PROMPT)


def test_the_tab_opens_without_a_complaint(page, webui, before, seen):
    assert page.problems == []
    assert "darkroom" not in "".join(line for line in webui.console().splitlines() if "Error" in line)
    seen({})


def test_importing_and_building_the_tab_take_under_half_a_second_and_import_nothing_heavy(webui, seen):
    importing = webui.get("/internal/profile-startup")["records"]["load scripts/darkroom.py"]
    tab = webui.get("/darkroom-test/tab")
    assert tab["heavy"] == []
    assert importing + tab["seconds"] < 0.5
    seen({"importing_seconds": round(importing, 2), "building_seconds": round(tab["seconds"], 2)})


def test_trained_by_clicking_and_listed_without_restart(page, webui, seen):
    shutil.copytree(GHOST.folder, webui.data / "pictures" / "ghost")
    create(page, "ghost")
    show_pictures(page, "~/pictures/ghost")
    begin(page)
    said = wait_for_end(page, 900)
    assert f"All {STEPS} steps are done" in said
    assert "does not load" not in said
    names = [entry["name"] for entry in webui.get("/sdapi/v1/loras")]
    assert "ghost" in names
    card = json.loads((webui.loras / "ghost.json").read_text(encoding="utf-8"))
    assert card["activation text"] or card["description"]
    assert (webui.loras / "ghost.png").exists()
    seen({"steps": STEPS})


def test_a_fixed_seed_picture_is_the_same_after_training(webui, before, seen):
    assert webui.txt2img(PROMPT) == before
    seen({})


def test_the_tag_changes_the_picture_by_clicking_generate(page, webui, before, seen):
    assert page.problems == []
    page.get_by_role("button", name="txt2img", exact=True).first.click()
    page.locator("#txt2img_prompt textarea").fill(f"{PROMPT} <lora:ghost:1>")
    page.locator("#txt2img_width input[type=number]").fill("64")
    page.locator("#txt2img_height input[type=number]").fill("64")
    page.click("#txt2img_generate")
    page.wait_for_selector("#txt2img_gallery img", timeout=120_000)
    page.wait_for_selector("#html_info_txt2img >> text=ghost")
    assert of_ours(page) == []
    assert "Networks with errors" not in page.content()
    page.get_by_role("button", name="Darkroom", exact=True).first.click()
    assert not np.array_equal(pixels(webui.txt2img(f"{PROMPT} <lora:ghost:1>")), pixels(before))
    seen({})


def test_pictures_agree_with_standalone_s(webui, seen):
    places = ("on the beach", "at night", "in the (snow:1.2)", "in the city")
    prompts = [f"{GHOST.prompt} {place} <lora:ghost:{weight}>" for place in places for weight in (0.7, 1)]
    ours = draw_alike(webui, prompts)
    theirs = [pixels(webui.txt2img(prompt, seed=n)) for n, prompt in enumerate(prompts)]
    differences = [np.abs(a - b).mean() for a, b in zip(ours, theirs)]
    seen({"mean_difference_of_255": [round(float(d), 3) for d in differences]})
    assert max(differences) <= 2


def test_losses_and_weights_agree_with_standalone_s(page, webui, tmp_path, seen):
    """Whatever the picture before was drawn with: the WebUI leaves some of that on its model."""
    drawn = {"sd_noise_schedule": "Zero Terminal SNR", "hypertile_enable_unet": True, "token_merging_ratio": 0.5}
    webui.txt2img(PROMPT, size=256, steps=2, override_settings=drawn)
    webui.post("/sdapi/v1/options", sd_noise_schedule="Default", hypertile_enable_unet=False, token_merging_ratio=0.0)
    figures = losses_alike(page, webui, tmp_path)
    seen(figures)
    assert figures["largest_relative_difference"] <= 1e-3
    assert figures["smallest_cosine"] >= 0.999
    assert figures["difference_from_untrained"] >= 0.05


def test_the_webui_s_own_parameters_are_trained_on_in_little_memory(page, webui, seen):
    create(page, "borrowed")
    show_pictures(page, GHOST.folder)
    Path(f"/proc/{webui.process.pid}/clear_refs").write_text("5", encoding="ascii")  # the peak is counted from here
    idle, _ = webui.memory()
    begin(page)
    wait_for_step(page, 5)
    counts = webui.get("/darkroom-test/borrowed")
    page.click("#darkroom_stop")
    wait_for_end(page, 120)
    _, peak = webui.memory()
    seen({**counts, "idle_mib": idle // 2**20, "peak_above_idle_mib": (peak - idle) // 2**20})
    assert counts["own"] > 200 and counts["others"] == 0


@pytest.mark.parametrize("name, stop, said", [
    ("stopped", lambda page, webui: page.click("#darkroom_stop"), "Stopped by you"),
    ("interrupted", lambda page, webui: webui.post("/sdapi/v1/interrupt"), "Interrupt")])
def test_stop_and_interrupt_save_and_give_the_model_back(page, webui, before, seen, name, stop, said):
    create(page, name)
    show_pictures(page, GHOST.folder)
    begin(page)
    wait_for_step(page, 5)
    stop(page, webui)
    assert said in wait_for_end(page, 120) and (webui.loras / f"{name}.safetensors").exists()
    assert webui.txt2img(PROMPT) == before
    seen({})


def test_a_pause_frees_the_model_and_changes_no_bit_of_the_file(page, webui, before, seen):
    for name in ("whole", "parts"):
        create(page, name)
        show_pictures(page, GHOST.folder)
        begin(page, training_steps=200)
        if name == "parts":
            wait_for_step(page, 2)
            page.click("#darkroom_pause")
            page.wait_for_selector("#darkroom_live .darkroom-badge.paused", timeout=60_000)
            step = int(page.get_attribute("#darkroom_live .darkroom-live", "data-step"))
            shot(page, "paused")
            assert 2 < step < 200 and webui.txt2img(PROMPT) == before
            page.click("#darkroom_pause >> text=Continue")
        assert "All 200 steps are done" in wait_for_end(page, 300)
    one, two = (load_file(webui.loras / f"{name}.safetensors") for name in ("whole", "parts"))
    assert one.keys() == two.keys() and all(np.array_equal(one[key], two[key]) for key in one)
    assert webui.txt2img(PROMPT) == before
    seen({"paused_after_step": step})


def test_an_exception_in_mid_training_gives_the_model_back(page, webui, before, tmp_path, seen):
    """Random crops read their pictures in every step; one that vanishes is an error in the middle of a run."""
    folder = tmp_path / "pictures"
    shutil.copytree(GHOST.folder, folder)
    create(page, "broken")
    show_pictures(page, folder)
    choose_tab(page, "Train")
    unfold(page, "Advanced")
    page.locator("#darkroom_data_crop input").click()
    page.get_by_role("option", name="random").or_(page.locator("li", has_text="random")).first.click()
    begin(page)
    wait_for_step(page, 3)
    for picture in folder.glob("*.png"):
        picture.unlink()
    assert "Failed" in wait_for_end(page, 120)
    assert webui.txt2img(PROMPT) == before
    seen({})


def test_generating_and_changing_the_checkpoint_wait_for_the_run(page, webui, before, seen):
    first = webui.get("/sdapi/v1/options")["sd_model_checkpoint"]
    folder = webui.data / "models" / "Stable-diffusion"
    for suffix in (".safetensors", ".yaml"):
        shutil.copy(folder / f"toyland{suffix}", folder / f"second{suffix}")
    webui.post("/sdapi/v1/refresh-checkpoints")
    create(page, "waiting")
    show_pictures(page, GHOST.folder)
    begin(page, training_steps=60)
    wait_for_step(page, 2)
    done = {}

    def at_end(name, act):
        done[name] = (act(), time.time())

    threads = [threading.Thread(target=at_end, args=asked) for asked in (
        ("drawn", lambda: webui.txt2img(PROMPT)),
        ("changed", lambda: webui.post("/sdapi/v1/options", sd_model_checkpoint="second.safetensors")))]
    for thread in threads:
        thread.start()
    assert "All 60 steps are done" in wait_for_end(page, 300)
    for thread in threads:
        thread.join(120)
    log = webui.data / "models" / "darkroom" / "waiting" / "runs" / "0001" / "events.jsonl"
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    last = max(line["time"] for line in lines if line["what"] == "step")
    assert done["drawn"][1] > last and done["changed"][1] > last
    # either may come first, and the text beside them tells which
    assert np.array_equal(pixels(done["drawn"][0]), pixels(before))
    assert webui.get("/sdapi/v1/options")["sd_model_checkpoint"].startswith("second")
    webui.post("/sdapi/v1/options", sd_model_checkpoint=first)
    assert webui.txt2img(PROMPT) == before
    seen({})


def test_neither_page_nor_console_reported_a_failing_network(page, webui, seen):
    console = webui.console()
    assert "Networks with errors" not in console and "didn't match keys" not in console
    assert of_ours(page) == []
    seen({})
