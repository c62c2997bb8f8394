"""A real Forge: trained by clicking, listed, used from the prompt; its own model is afterwards what it was."""

import shutil
import time

import numpy as np
import pytest
from browser import begin, choose_tab, create, opened, show_darkroom, show_pictures, unfold, wait_for_end, wait_for_step
from webui import forge as real
from webui.plots import plotted
from webui.training import GHOST, pixels, trained_by_clicking

METHODS = {  # how a prompt calls what was learned
    "lora": "a zwx ghost <lora:{name}:1>", "loha": "a zwx ghost <lora:{name}:1>", "textual_inversion": "a {name} ghost",
    "dreambooth": "a zwx ghost"}
STEPS = 10
COMPLAINTS = ("unmatched", "mismatch", "Mismatch", "ERROR", "not recognized", "Networks with errors", "Traceback")
SLOW = 1200  # seconds


@pytest.fixture(scope="module")
def forge(tmp_path_factory):
    data = tmp_path_factory.mktemp("forge 数据")
    real.prepare(data)
    with real.running(data) as made:
        yield made


@pytest.fixture(scope="module")
def page(forge):
    with opened(forge.url) as made:
        show_darkroom(made)
        yield made


@pytest.fixture(scope="module")
def before(forge):
    """Pictures by prompt, before anything was trained."""
    prompts = "a zwx ghost", METHODS["textual_inversion"].format(name="textual-inversion")
    return {prompt: forge.txt2img(prompt, **real.SMALL) for prompt in prompts}


@pytest.fixture(scope="module")
def kept():
    """Resident bytes after each run, Forge's model loaded."""
    return []


@pytest.mark.parametrize("method", METHODS)
def test_trained_by_clicking_and_used_from_the_prompt(forge, page, before, seen, kept, method):
    name, told = method.replace("_", "-"), len(forge.console())
    said = trained_by_clicking(page, name, method, STEPS, seconds=SLOW)
    assert f"All {STEPS} steps are done" in said and "does not load" not in said, said
    if method == "dreambooth":
        forge.load(name)
    prompt = METHODS[method].format(name=name)
    changed = forge.txt2img(prompt, **real.SMALL)
    if method == "dreambooth":
        forge.load(real.NAME)
    assert changed != before[prompt.partition(" <")[0]]
    assert forge.txt2img("a zwx ghost", **real.SMALL) == before["a zwx ghost"]
    console = forge.console()[told:]
    assert not [line for line in console.splitlines() if any(word in line for word in COMPLAINTS)]
    kept.append(forge.memory()[0])
    seen({"kept_mib_more": round((kept[-1] - kept[0]) / 2**20), "peak_gib": round(forge.memory()[1] / 2**30, 2)})
    assert len(kept) < 2 or kept[1] - kept[0] <= 100 * 2**20


def test_the_x_y_z_plot_has_darkroom_s_axes(forge, before, seen):
    cells = plotted(forge, "a zwx ghost <lora:lora:1>", ("[Darkroom] weight", (0, 1)), steps=1, size=256, cfg=1.0)
    without, with_it = cells.values()
    assert np.array_equal(without, pixels(before["a zwx ghost"])) and not np.array_equal(without, with_it)
    seen({})


def broken(page, forge, pictures):
    for picture in pictures.glob("*.png"):
        picture.unlink()


ENDS = {
    "stopped": (lambda page, forge, pictures: page.click("#darkroom_stop"), "Stopped by you"),
    "interrupted": (lambda page, forge, pictures: forge.post("/sdapi/v1/interrupt"), "Interrupt"),
    "broken": (broken, "Failed"),
}


@pytest.mark.parametrize("name", ENDS)
def test_however_a_run_ends_forge_draws_as_before(forge, page, before, seen, tmp_path, name):
    end, said = ENDS[name]
    pictures = tmp_path / "pictures"
    shutil.copytree(GHOST.folder, pictures)
    start(page, name, pictures)
    wait_for_step(page, 1, SLOW)
    end(page, forge, pictures)
    assert said in wait_for_end(page, SLOW)
    assert forge.txt2img("a zwx ghost", **real.SMALL) == before["a zwx ghost"]
    seen({})


def start(page, name, pictures):
    """A run of many steps that reads a picture anew for each."""
    create(page, name)
    show_pictures(page, pictures)
    choose_tab(page, "Train")
    unfold(page, "Advanced")
    page.locator("#darkroom_data_crop input").click()
    page.get_by_role("option", name="random").or_(page.locator("li", has_text="random")).first.click()
    begin(page, training_steps=1000)


def test_txt2img_waits_for_a_run_and_draws_while_it_is_paused(forge, page, before, seen):
    start(page, "paused", GHOST.folder)
    wait_for_step(page, 1, SLOW)
    page.click("#darkroom_pause")
    page.wait_for_selector("#darkroom_live .darkroom-badge.paused", timeout=SLOW * 1000)
    began = time.monotonic()
    assert forge.txt2img("a zwx ghost", **real.SMALL) == before["a zwx ghost"]
    seen({"seconds_of_a_picture_while_paused": round(time.monotonic() - began, 1)})
    page.click("#darkroom_pause >> text=Continue")
    wait_for_step(page, 3, SLOW)
    page.click("#darkroom_stop")
    assert "Stopped by you" in wait_for_end(page, SLOW)
