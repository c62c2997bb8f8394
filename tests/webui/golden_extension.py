"""A second extension, for tests alone: tells what the WebUI's own network classes make of a LoRA file, and what the
tab costs.
"""

import sys
import time
from pathlib import Path

import torch
from modules import script_callbacks, sd_hijack, sd_models

SCRIPT = "darkroom.py"
HEAVY = ("torch", "lycoris", "diffusers")
building: dict[str, float] = {}  # "seconds", when the tab has been built
imported = list(sys.modules)  # in the order of their import; this script is loaded right after the tab's
imported = imported[imported.index("extension_lib"):]


def norms(path: str) -> dict[str, float]:
    """By key, the norm of what the file adds to each layer's weight, by "KEY bias" to its bias."""
    import network

    networks = sys.modules["networks"]
    net = networks.load_network(Path(path).stem, network.NetworkOnDisk(Path(path).stem, path))
    out = {}
    with torch.no_grad():
        for module in net.modules.values():
            weight, bias = module.calc_updown(module.sd_module.weight)
            key = module.network_key.partition(".")[0]
            out[key] = weight.float().norm().item()
            if bias is not None:
                out[f"{key} bias"] = bias.float().norm().item()
    assert sd_models.model_data.sd_model is not None
    return out


def borrowed() -> dict[str, int]:
    """While something is trained: how many of the layers it sees are the WebUI's own parameters, and how many are
    not.
    """
    jobs = sys.modules["extension_lib.runs.job"].jobs
    view = jobs[-1].host.borrowed
    own = {id(p) for p in sd_models.model_data.sd_model.parameters()}
    weights = [layer.module.weight for layer in view.layers()] if view else []
    return {"own": sum(id(w) in own for w in weights), "others": sum(id(w) not in own for w in weights)}


def time_building() -> None:
    """Measures how long the tab takes to be built, and what that imports."""
    def timed(build):
        def tabs():
            began, known = time.perf_counter(), set(sys.modules)
            made = build()
            building["seconds"] = time.perf_counter() - began
            imported.extend(set(sys.modules) - known)
            return made
        return tabs
    for callback in script_callbacks.callback_map["callbacks_ui_tabs"]:
        if Path(callback.script).name == SCRIPT:
            callback.callback = timed(callback.callback)


def tab() -> dict:
    return {**building, "heavy": sorted(name for name in imported if name.partition(".")[0] in HEAVY)}


def reread() -> bool:
    """What any Refresh button of the extra networks does, without waiting for what is going on."""
    sd_hijack.model_hijack.embedding_db.load_textual_inversion_embeddings(force_reload=True)
    return True


def routes(_, app):
    app.add_api_route("/darkroom-test/tab", tab, methods=["GET"])
    app.add_api_route("/darkroom-test/borrowed", borrowed, methods=["GET"])
    app.add_api_route("/darkroom-test/reread", reread, methods=["GET"])
    app.add_api_route("/darkroom-test/norms", lambda path: norms(path), methods=["GET"])


script_callbacks.on_before_ui(time_building)
script_callbacks.on_app_started(routes)
