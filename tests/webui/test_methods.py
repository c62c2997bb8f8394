"""Every method in a real WebUI, by clicking: trained, listed without restart, used from the prompt, the same as
standalone.
"""

import shutil

import numpy as np
import pytest
from browser import begin, choose_tab, fill, wait_for_end
from webui.standalone import host_beside
from webui.training import GHOST, pixels, prompts_for, trained_by_clicking

from extension_lib import methods
from extension_lib.host import Picture, find_checkpoint

STEPS = 40


@pytest.fixture(scope="module")
def before(webui):
    return webui.txt2img("a ghost on the beach")


@pytest.mark.parametrize("method", list(methods.all_methods()))
def test_trained_listed_used_and_the_same_as_standalone(page, webui, before, seen, tmp_path, method):
    name = f"m-{method.replace('_', '-')}"
    said = trained_by_clicking(page, name, method, STEPS)
    assert f"All {STEPS} steps are done" in said and "does not load" not in said, said
    assert webui.txt2img("a ghost on the beach") == before
    prompts = prompts_for(method, name)
    host = host_beside(webui, tmp_path)
    override = {}
    if method == "dreambooth":
        titles = [m["title"] for m in webui.get("/sdapi/v1/sd-models")]
        override = {"override_settings": {"sd_model_checkpoint": next(t for t in titles if name in t)}}
        own = tmp_path / "checkpoints" / f"{name}.safetensors"
        own.parent.mkdir()
        shutil.copy(webui.data / "models" / "Stable-diffusion" / f"{name}.safetensors", own)
        shutil.copytree(GHOST.folder.parents[1] / "base", own.with_suffix(""))
        host.load(find_checkpoint(host, str(own)))
    theirs = [pixels(webui.txt2img(p, seed=n, **override)) for n, p in enumerate(prompts)]
    ours = host.draw([Picture(p, steps=20, cfg=4.0, width=64, height=64, seed=n) for n, p in enumerate(prompts)])
    differences = [float(np.abs(a - np.asarray(b).astype(float)).mean()) for a, b in zip(theirs, ours)]
    changed = float(np.abs(theirs[0] - pixels(webui.txt2img("a zwx ghost on the beach"))).mean())
    seen({"mean_difference_of_255": round(max(differences), 3), "changed_by": round(changed, 2)})
    assert max(differences) <= 2 and changed > 0
    console = webui.console()
    assert "Networks with errors" not in console and "didn't match keys" not in console and page.problems == []


def test_a_bundle_put_among_the_loras_is_word_and_adapter_in_one(page, webui, seen):
    assert f"All {STEPS} steps are done" in trained_by_clicking(page, "m-pair", "pivotal", STEPS,
                                                                switch="darkroom_method_bundle")
    prompt = "a m-pair ghost on the beach <lora:{}:1>"
    together = webui.txt2img(prompt.format("m-pair"))
    bundle, embedding = (next(webui.data.rglob(name))
                         for name in ("m-pair-bundle.safetensors", "embeddings/m-pair.safetensors"))
    bundle.replace(webui.loras / bundle.name)
    embedding.unlink()
    for refresh in ("embeddings", "loras"):
        webui.post(f"/sdapi/v1/refresh-{refresh}")
    alone, without = (webui.txt2img(prompt.format(name)) for name in ("m-pair-bundle", "m-pair"))
    difference = float(np.abs(pixels(alone) - pixels(together)).mean())
    assert difference <= 0.01 and without != together, difference
    assert "bundle embedding" not in webui.console()
    seen({"mean_difference_of_255": round(difference, 4)})


def test_overwriting_a_file_shows_the_new_one_at_the_same_weight(page, webui, seen):
    prompt = "a zwx ghost on the beach <lora:m-lora:1>"
    first = webui.txt2img(prompt)
    choose_tab(page, "Model")
    page.locator("#darkroom_workspace input").first.click()
    page.get_by_role("option", name="m-lora", exact=True).or_(page.locator("li", has_text="m-lora")).first.click()
    page.wait_for_timeout(1500)
    choose_tab(page, "Train")
    fill(page, "darkroom_training_seed", 7)
    page.click("#darkroom_train")
    page.locator("#darkroom_question label", has_text="Start over and overwrite m-lora").click()
    begin(page)
    wait_for_end(page, 300)
    assert webui.txt2img(prompt) != first
    seen({})
