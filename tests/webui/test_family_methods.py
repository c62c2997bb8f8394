"""Every method on tiny checkpoints of SDXL and SD2 in a real WebUI, by clicking: as test_methods.py, and more."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from browser import opened, show_darkroom
from safetensors.torch import load_file, save_file
from webui.plots import grid_after_training, plotted
from webui.standalone import host_beside
from webui.training import pixels, prompts_for, trained_by_clicking

from extension_lib import methods
from extension_lib.host import Checkpoint, Picture
from extension_lib.methods.product import LORA, LORA_AND_WORDS
from extension_lib.workspaces.workspace import Workspace

CHECKPOINTS = ("tiny-xl", "tiny-xl-v", "tiny-sd2")
STEPS = 20
SIZE = {"steps": 10, "size": 64}
PLACES = ("on the beach", "at night", "in the snow", "in the city")
# The error allowed, of what is added and of the weight. A difference in fp16 makes the WebUI round the weight to fp16.
EXACT, ROUNDED = (1e-5, 1e-6), {"full": (2e-3, 2**-11)}
# Of a tag: the first that changes the pictures enough. One that overwhelms them makes of rounding another picture.
WEIGHTS = (0.25, 0.5, 1, 2, 4)
PLAIN = [f"a zwx ghost {place}" for place in PLACES]


@dataclass
class Loaded:
    """A checkpoint in both hosts, with what they draw before anything was trained."""

    name: str
    webui: Any
    page: Any
    host: Any
    before: list

    def theirs(self, prompts, **more):
        return [pixels(self.webui.txt2img(p, seed=n, **SIZE, **more)) for n, p in enumerate(prompts)]

    def ours(self, prompts):
        pictures = [Picture(p, steps=10, cfg=4.0, width=64, height=64, seed=n) for n, p in enumerate(prompts)]
        return [np.asarray(image).astype(float) for image in self.host.draw(pictures)]

    def load(self, name):
        """A checkpoint of the WebUI's folder, in both hosts."""
        self.webui.load(name)
        path = self.webui.data / "models" / "Stable-diffusion" / f"{name}.safetensors"
        self.host.load(Checkpoint(name, path))

    def figures(self, prompts):
        """How far the hosts' pictures are apart, and how far what was learned changes each host's."""
        theirs, ours = self.theirs(prompts), self.ours(prompts)
        changed = min(np.mean([distance(*pair) for pair in zip(drawn, self.before)]) for drawn in (theirs, ours))
        return {"mean_difference_of_255": round(max(map(distance, theirs, ours)), 3),
                "changed_by": round(float(changed), 1)}


def distance(one, other):
    return float(np.abs(one - other).mean())


@pytest.fixture(scope="module", params=CHECKPOINTS)
def loaded(request, webui, tmp_path_factory):
    made = Loaded(request.param, webui, None, host_beside(webui, tmp_path_factory.mktemp("standalone")), [])
    made.load(request.param)
    made.before = made.theirs(PLAIN)
    with opened(webui.url) as made.page:
        show_darkroom(made.page)
        yield made


def test_both_hosts_draw_the_same(loaded, seen):
    differences = list(map(distance, loaded.before, loaded.ours(PLAIN)))
    seen({"mean_difference_of_255": round(max(differences), 3)})
    assert max(differences) <= 2


@pytest.mark.parametrize("method", list(methods.all_methods()))
def test_trained_listed_used_and_the_same_as_standalone(loaded, seen, tmp_path, method):
    webui, name = loaded.webui, f"{loaded.name}-{method.replace('_', '-')}"
    said = trained_by_clicking(loaded.page, name, method, STEPS)
    base = Workspace(webui.data / "models" / "darkroom" / name).read_run().base.checkpoint
    assert base.startswith(f"{loaded.name}.safetensors")  # that which is loaded when the page is opened
    assert f"All {STEPS} steps are done" in said and "does not load" not in said, said
    assert all(map(np.array_equal, loaded.theirs(PLAIN), loaded.before))
    is_checkpoint, product = method == "dreambooth", methods.all_methods()[method].product
    if is_checkpoint:
        loaded.load(name)
    figures = loaded.figures(prompts_for(method, name, PLACES))
    if is_checkpoint:
        loaded.load(loaded.name)
    if product in (LORA, LORA_AND_WORDS):
        figures |= live_deltas(loaded, name, tmp_path, ROUNDED.get(method, EXACT))
        figures |= parts_alone(loaded, name, method)
    seen(figures)
    assert figures["mean_difference_of_255"] <= 2 and figures["changed_by"] >= 10, figures
    console = webui.console()
    assert "Networks with errors" not in console and "didn't match keys" not in console and loaded.page.problems == []


def test_the_webui_s_own_plot_of_steps_and_weights_has_the_pictures_of_the_files(loaded, seen):
    name = f"{loaded.name}-lora"
    if not (loaded.webui.loras / f"{name}.safetensors").exists():  # the test above was left out
        trained_by_clicking(loaded.page, name, "lora", STEPS)
    files = {str(STEPS // 2): f"{name}-{STEPS // 2:06d}", "last": name}
    cells = plotted(loaded.webui, f"{PLAIN[0]} <lora:{name}:1>", ("[Darkroom] weight", (0, 0.5, 1)),
                    ("[Darkroom] training step", tuple(files)), steps=SIZE["steps"], seed=0)
    for (weight, step), cell in cells.items():
        alone = loaded.theirs([f"{PLAIN[0]} <lora:{files[step]}:{weight}>"])[0] if weight else loaded.before[0]
        assert np.array_equal(cell, alone), (weight, step)
    assert len({cell.tobytes() for cell in cells.values()}) == 1 + 2 * 2
    seen({"cells": len(cells)})


def test_the_compare_tab_s_grid_has_the_pictures_of_the_file(loaded, seen):
    name = f"{loaded.name}-grid"
    trained_by_clicking(loaded.page, name, "lora", STEPS)
    worst, _, about = grid_after_training(loaded.page, loaded.webui, name)
    assert worst <= 2 and len({cell["called"] for cell in about["cells"]}) > 1
    seen({"largest_difference_of_255": worst})


def live_deltas(loaded, name, folder, allowed):
    """What the file adds to the WebUI's live weights, against what it says."""
    said = loaded.host.read_back(loaded.webui.loras / f"{name}.safetensors", "lora")
    save_file({key: said[key].contiguous() for key in said}, folder / "expected.safetensors")
    found = loaded.webui.post("/darkroom-test/deltas", name=name, expected=str(folder / "expected.safetensors"))
    assert found["missing"] == found["others"] == found["left"] == [], found
    worst = max(layer["error"] / (allowed[0] * layer["delta"] + allowed[1] * layer["weight"])
                for layer in found["layers"].values())
    assert worst <= 1, found
    return {"layers": len(found["layers"]), "largest_error_of_allowed": round(worst, 4)}


def parts_alone(loaded, name, method):
    """The same pictures with files that hold only one part's keys."""
    tensors, figures = load_file(loaded.webui.loras / f"{name}.safetensors"), {}
    if method in ROUNDED:
        tensors = {key: tensor.float() for key, tensor in tensors.items()}
    for part in sorted({key.split("_")[1] for key in tensors}):
        alone = f"{name}-{part}"
        save_file({key: tensor for key, tensor in tensors.items() if key.startswith(f"lora_{part}_")},
                  loaded.webui.loras / f"{alone}.safetensors")
        loaded.webui.post("/sdapi/v1/refresh-loras")
        for weight in WEIGHTS:
            tag = f"<lora:{alone}:{weight}>"
            prompts = [prompt.replace(f"<lora:{name}:1>", tag) for prompt in prompts_for(method, name, PLACES)]
            figures[part] = {"weight": weight, **loaded.figures(prompts)}
            if figures[part]["changed_by"] >= 10:
                break
        assert figures[part]["mean_difference_of_255"] <= 2 and figures[part]["changed_by"] >= 10, figures
    return figures
