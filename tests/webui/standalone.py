"""The same work done without a WebUI, to compare with."""

import json
import os
import subprocess
import sys
import time

import numpy as np
from browser import begin, choose_tab, create, fill, show_pictures, unfold, wait_for_end
from safetensors.torch import load_file
from webui.server import ROOT

STEPS = 20
SETTINGS = {"method.rank": "1", "method.alpha": "1", "method.plus": "1", "method.unet_rate": "5e-3",
            "method.text_rate": "2e-3", "training.steps": str(STEPS), "training.warmup": "0",
            "data.clip_skip": "2", "saving.precision": "fp32", "previews.preview_every": "0"}
LONG = "a zwx ghost_(pac-man) [in] a (room:1.3), " + ", ".join(["a small picture of a blue ghost"] * 25)


def standalone(home, *arguments):
    env = {**os.environ, "DARKROOM_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-m", "extension_lib", *arguments], cwd=ROOT, env=env, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def host_beside(webui, root):
    """A standalone host that uses the WebUI's own files."""
    from extension_lib.hosts.standalone import Standalone

    host = Standalone(root)
    own = {
        "lora": webui.loras, "embeddings": webui.data / "embeddings",
        "hypernetworks": webui.data / "models" / "hypernetworks"
    }
    host.folders = host.folders.__class__(**{**vars(host.folders), **own})
    return host


def draw_alike(webui, prompts):
    """Standalone's pictures of these prompts with the WebUI's own LoRA files."""
    from extension_lib.host import Picture, find_checkpoint

    host = host_beside(webui, webui.data / "standalone")
    host.load(find_checkpoint(host, "toyland"))
    pictures = [Picture(p, steps=20, cfg=4.0, width=64, height=64, seed=n) for n, p in enumerate(prompts)]
    return [np.asarray(image).astype(float) for image in host.draw(pictures)]


def pictures_with_hard_captions(folder):
    from helpers import draw_pictures

    draw_pictures(folder, 4)
    (folder / "0.txt").write_text(LONG, encoding="utf-8")
    (folder / "1.txt").write_text("ghost_(pac-man), [x], \\(y\\)", encoding="utf-8")
    return folder


def losses_alike(page, webui, tmp_path):
    """Trains the same run in the WebUI by clicking and alone; returns how far losses and weights are apart."""
    folder = pictures_with_hard_captions(tmp_path / "hard captions")
    theirs, their_file = losses_in_webui(page, webui, folder)
    ours, our_file = losses_standalone(tmp_path, folder, {})
    untrained, _ = losses_standalone(tmp_path, folder, {"method.unet_rate": "1e-12", "method.text_rate": "1e-12"},
                                     "untrained")
    relative = [abs(a - b) / b for a, b in zip(theirs, ours)]
    return {"largest_relative_difference": max(relative), "smallest_cosine": smallest_cosine(their_file, our_file),
            "difference_from_untrained": max(abs(a - b) / b for a, b in zip(ours, untrained)), "losses": len(theirs)}


def losses_in_webui(page, webui, folder):
    create(page, "parity")
    show_pictures(page, folder)
    choose_tab(page, "Train")
    for part in ("Saving", "Previews", "Advanced"):
        unfold(page, part)
    for name, value in SETTINGS.items():
        section, option = name.split(".")
        if name == "saving.precision":
            page.locator("#darkroom_saving_precision input").click()
            page.locator("li", has_text=value).first.click()
        else:
            fill(page, f"darkroom_{section}_{option}", value)
    page.wait_for_timeout(1000)
    begin(page)
    said = wait_for_end(page, 600)
    assert f"All {STEPS} steps are done" in said, said
    log = webui.data / "models" / "darkroom" / "parity" / "runs" / "0001" / "events.jsonl"
    return losses_of(log), webui.loras / "parity.safetensors"


def losses_standalone(tmp_path, folder, changed, name="parity"):
    home = tmp_path / f"home {name}"
    toml = tmp_path / f"{name}.toml"
    toml.write_text(
        f'output.name = "{name}"\nbase.checkpoint = "toyland"\n[[concepts]]\nfolder = {json.dumps(str(folder))}\n',
        encoding="utf-8")
    values = {**SETTINGS, **changed}
    standalone(home, "train", str(toml), *(part for item in values.items() for part in (f"--{item[0]}", item[1])))
    return losses_of(home / "workspaces" / name / "runs" / "0001"
                     / "events.jsonl"), home / "loras" / (f"{name}.safetensors")


def losses_of(log):
    time.sleep(0.5)
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [line["loss"] for line in lines if line["what"] == "step"]


def smallest_cosine(one, two):
    """Over the learned matrices that left their beginning: lora_up starts at zero."""
    first, second = load_file(one), load_file(two)
    assert first.keys() == second.keys()
    cosines = []
    for key in first:
        if key.endswith("lora_up.weight"):
            a, b = first[key].flatten().double(), second[key].flatten().double()
            if a.norm() > 1e-6:
                cosines.append((a @ b / (a.norm() * b.norm())).item())
    return min(cosines)
