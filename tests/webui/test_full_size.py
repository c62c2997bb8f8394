"""A checkpoint of SD 1.5's own size, with random weights, in a real WebUI.

Set FULL_SIZE=1: it takes 12 GB of memory.
"""

import json
import os
from pathlib import Path

import pytest
from browser import choose_tab, create, entered, fill, free_port, opened, show_pictures, unfold, wait_for_end
from webui import server

from benchmarks.random_checkpoint import config, write_random_checkpoint
from extension_lib.models.clip_vocabulary import read_merges, vocabulary_file
from toyland.subjects import SUBJECTS
from toyland.vocabulary import write

pytestmark = pytest.mark.skipif(not os.environ.get("FULL_SIZE"), reason="FULL_SIZE is not set: no room for a "
                                "full-sized checkpoint")
SMALL = {"size": 256, "steps": 4}


def install_random_sd1(folder: Path, webui: Path) -> int:
    """Writes the checkpoint, its .yaml and its tokenizer; returns how many bytes its weights are."""
    size = write_random_checkpoint(folder / "random-sd15.safetensors")
    text = folder / "random-text"
    write(text, read_merges(vocabulary_file()))
    (text / "config.json").write_text(json.dumps(config("text_encoder")), encoding="utf-8")
    yaml = (webui / "configs" / "v1-inference.yaml").read_text(encoding="utf-8")
    embedder = "target: ldm.modules.encoders.modules.FrozenCLIPEmbedder"
    yaml = yaml.replace(embedder, f"{embedder}\n      params:\n        version: {json.dumps(str(text))}")
    (folder / "random-sd15.yaml").write_text(yaml, encoding="utf-8")
    return size


def test_ten_steps_by_clicking_within_two_gigabytes_more(tmp_path, seen):
    webui = Path(os.environ["WEBUI_DIR"])
    data = tmp_path / "webui"
    checkpoints = data / "models" / "Stable-diffusion"
    checkpoints.mkdir(parents=True)
    size = install_random_sd1(checkpoints, webui)
    server.install_extension(data)
    with server.running(webui, data, free_port()) as running, opened(running.url) as page:
        before = running.txt2img("a ghost", **SMALL)
        # the peak is counted from here
        Path(f"/proc/{running.process.pid}/clear_refs").write_text("5", encoding="ascii")
        idle, _ = running.memory()
        page.wait_for_selector("#txt2img_generate", timeout=60_000)
        page.get_by_role("button", name="Darkroom", exact=True).first.click()
        entered(page)
        create(page, "ghost")
        show_pictures(page, SUBJECTS["ghost"].folder)
        choose_tab(page, "Train")
        fill(page, "darkroom_training_steps", 10)
        for part in ("Pictures", "Advanced"):
            unfold(page, part)
        page.locator("#darkroom_previews_card input").uncheck()
        page.locator("#darkroom_data_resolution input[type=number]").first.fill("256")
        page.keyboard.press("Tab")
        page.wait_for_timeout(1000)
        page.click("#darkroom_train")
        said = wait_for_end(page, 1200)
        _, peak = running.memory()
        seen({
            "model_gib": round(size / 2**30, 2), "idle_gib": round(idle / 2**30, 2), "peak_gib": round(peak / 2**30, 2)
        })
        assert "All 10 steps are done" in said and "does not load" not in said, said
        assert peak <= max(idle, size) + 2 * 2**30 and peak - idle <= size / 2
        assert running.txt2img("a ghost", **SMALL) == before
        assert running.txt2img("a ghost <lora:ghost:1>", **SMALL) != before
        assert "didn't match keys" not in running.console() and page.problems == []
