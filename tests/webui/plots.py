"""The WebUI's own X/Y/Z plot, asked over the API, and the grid of the Compare tab."""

import base64
import json
from itertools import product

import numpy as np
from PIL import Image
from webui.training import pixels


def axis(webui, label, values):
    """The script's arguments for one axis: its number, values as text, and values of a list."""
    scripts = webui.get("/sdapi/v1/script-info")
    choices = next(s for s in scripts if s["name"] == "x/y/z plot" and not s["is_img2img"])["args"][0]["choices"]
    listed = label in ("[Darkroom] file", "[Darkroom] method", "[Darkroom] training step")
    texts = [str(v) for v in values]
    return [choices.index(label), "" if listed else ", ".join(texts), texts if listed else []]


def plotted(webui, prompt, *axes, seed=1, steps=20, size=64, cfg=4.0):
    """The cells of A1111's own script over the API, by their values in the order of the axes."""
    triples = [*(axis(webui, *one) for one in axes), *([[0, "", []]] * (3 - len(axes)))]
    options = [False, True, False, False, False, False, False, 0, False]
    arguments = [part for triple in triples for part in triple] + options
    body = {"prompt": prompt, "seed": seed, "width": size, "height": size, "steps": steps, "cfg_scale": cfg,
            "sampler_name": "Euler", "script_name": "x/y/z plot", "script_args": arguments}
    images = [pixels(base64.b64decode(image)) for image in webui.post("/sdapi/v1/txt2img", **body)["images"]]
    cells = images[-int(np.prod([len(values) for _, values in axes])):]
    keys = product(*(values for _, values in reversed(axes)))  # X changes fastest
    return {key[::-1]: cell for key, cell in zip(keys, cells)}


def grid_after_training(page, webui, workspace):
    """Presses what the Train tab offers after a run; returns the largest difference of a cell from the WebUI's own
    picture, the grid's folder and what it says of itself.
    """
    page.click("#darkroom_learned")
    page.wait_for_selector("#darkroom_compare_progress >> text=Done", timeout=600_000)
    folder = next((webui.data / "models" / "darkroom" / workspace / "grids").iterdir())
    about = json.loads((folder / "grid.json").read_text(encoding="utf-8"))
    picture, worst = about["picture"], 0
    for at in about["cells"][::2]:
        cell = np.asarray(Image.open(folder / at["file"]).convert("RGB")).astype(int)
        alone = pixels(webui.txt2img(at["called"], seed=at["cell"]["seed"], size=picture["width"],
                                     steps=picture["steps"], cfg_scale=picture["cfg"]))
        worst = max(worst, int(np.abs(cell - alone).max()))
    return worst, folder, about
