"""What the WebUI does while something is trained changes nothing of what is learned, and training nothing of what it
draws.
"""

import shutil
import time

import numpy as np
from browser import begin, choose_method, choose_tab, create, fill, show_pictures, unfold, wait_for_end, wait_for_step
from safetensors.numpy import load_file

from extension_lib import methods
from toyland.subjects import SUBJECTS

GHOST = SUBJECTS["ghost"]
STEPS = 40


def prepare(page, name, method, instance_prompt="[filewords]"):
    create(page, name)
    choose_tab(page, "Concepts")
    fill(page, "darkroom_concepts_instance_prompt", instance_prompt)
    show_pictures(page, GHOST.folder)
    choose_tab(page, "Train")
    choose_method(page, methods.all_methods()[method].title)
    page.wait_for_timeout(1500)


def same(one, two):
    first, second = load_file(one), load_file(two)
    return first.keys() == second.keys() and all(np.array_equal(first[key], second[key]) for key in first)


def test_a_word_is_learned_on_while_embeddings_are_reread(page, webui, seen, tmp_path):
    prepare(page, "learned", "textual_inversion", "a [name] ghost")
    begin(page, training_steps=STEPS)
    wait_for_end(page, 300)
    file = webui.data / "embeddings" / "learned.safetensors"
    calm = shutil.copy(file, tmp_path)
    page.click("#darkroom_train")
    page.locator("#darkroom_question label", has_text="Start over and overwrite learned").click()
    begin(page)
    wait_for_step(page, 2)
    for _ in range(5):
        assert webui.get("/darkroom-test/reread")
        time.sleep(0.2)
    assert f"All {STEPS} steps are done" in wait_for_end(page, 300)
    one, two = (load_file(path)["emb_params"] for path in (calm, file))
    difference = float(np.abs(one - two).max())  # two runs that nobody disturbs differ by 0.001 too, on two threads
    assert difference < 0.005 < np.abs(one).max() / 10
    seen({"largest_difference": round(difference, 4)})


def test_a_second_run_on_the_same_pictures_takes_its_first_step_within_five_seconds(page, seen):
    prepare(page, "again", "lora")
    first = seconds_to_the_first_step(page)
    page.click("#darkroom_train")
    page.locator("#darkroom_question label", has_text="Start over and overwrite again").click()
    second = seconds_to_the_first_step(page)
    seen({"first_run": first, "second_run": second})
    assert second < 5


def seconds_to_the_first_step(page) -> float:
    """From the press, as the page shows it; the run is over afterwards."""
    fill(page, "darkroom_training_steps", 5)
    page.evaluate("""() => document.querySelector('#darkroom_train').addEventListener('click', () => {
        const panel = () => document.querySelector('#darkroom_live .darkroom-live');
        const pressed = performance.now(), before = panel()?.dataset.created;
        const look = setInterval(() => {
            if (panel()?.dataset.created != before && panel()?.dataset.step > 0) {
                window.untilFirstStep = performance.now() - pressed;
                clearInterval(look);
            }
        }, 20);
    }, {once: true})""")
    begin(page)
    wait_for_end(page, 300)
    return round(page.evaluate("window.untilFirstStep") / 1000, 1)


def test_a_lora_in_the_previews_of_a_checkpoint_s_training_stays_out_of_it(page, webui, seen):
    prepare(page, "small", "lora")
    begin(page, training_steps=5)
    wait_for_end(page, 300)
    used = "a zwx ghost <lora:small:1>"
    plain, with_lora = webui.txt2img("a ghost"), webui.txt2img(used)
    for name, every in (("unseen", 0), ("previewed", 3)):
        prepare(page, name, "dreambooth")
        unfold(page, "Previews")
        fill(page, "darkroom_previews_prompts", used)
        begin(page, training_steps=10, previews_preview_every=every)
        assert "All 10 steps are done" in wait_for_end(page, 300)
        assert (webui.txt2img("a ghost"), webui.txt2img(used)) == (plain, with_lora)
    checkpoints = webui.data / "models" / "Stable-diffusion"
    assert same(checkpoints / "unseen.safetensors", checkpoints / "previewed.safetensors")
    seen({})


def test_a_grid_that_is_asked_for_in_mid_training_waits_for_the_model(page, webui, seen):
    choose_tab(page, "Compare")
    page.click("#darkroom_refresh_loras")
    page.wait_for_timeout(1500)
    page.locator("#darkroom_compare_name input").click()
    page.get_by_role("option", name="small", exact=True).or_(page.locator("li", has_text="small")).first.click()
    for name, value in (("prompts", "a ghost"), ("weights", "0, 1")):
        fill(page, f"darkroom_compare_{name}", value)
    for name, value in (("steps", 2), ("size", 64)):
        page.locator(f"#darkroom_compare_{name} input[type=number]").fill(str(value))
        page.keyboard.press("Tab")
    prepare(page, "undisturbed", "lora")
    begin(page, training_steps=2 * STEPS)
    wait_for_step(page, 2)
    choose_tab(page, "Compare")
    page.locator("button#darkroom_compare").click()
    page.wait_for_selector("#darkroom_compare_progress >> text=when the model is free")
    page.wait_for_timeout(5000)  # two pictures take less than a second
    assert webui.get("/darkroom-test/borrowed")["own"] and page.locator("#darkroom_grid .darkroom-cell").count() == 0
    choose_tab(page, "Train")
    assert f"All {2 * STEPS} steps are done" in wait_for_end(page, 300)
    choose_tab(page, "Compare")
    page.wait_for_selector("#darkroom_compare_progress >> text=Done", timeout=120_000)
    assert page.locator("#darkroom_grid .darkroom-cell").count() == 2
    seen({})
