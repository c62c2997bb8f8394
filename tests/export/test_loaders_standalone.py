"""diffusers' and LyCORIS' own loaders read our LoRA files: every key finds its layer, every delta is as trained."""

from collections import defaultdict
from typing import cast

import pytest
import tiny
import torch
from helpers import BASE, about, small_run
from lycoris.wrapper import LycorisNetwork, create_lycoris_from_weights
from safetensors.torch import load_file

from extension_lib.export import lora, verify
from extension_lib.methods.adapter import Adapter
from extension_lib.models.diffusers_pipeline import load_pipeline
from extension_lib.models.diffusers_view import load_view
from extension_lib.models.frozen import frozen
from extension_lib.support.seeds import generator_for

COMPONENTS = {"unet": "unet", "te1": "text_encoder", "te2": "text_encoder_2"}
INSIDE = "text_model."  # a module that transformers had in its text encoders, and has no more
CHECKPOINTS = {"sd1": lambda folder: BASE, "sd2": tiny.write_sd2, "sdxl": tiny.write_sdxl}


@pytest.fixture(scope="module")
def checkpoint(request, tmp_path_factory):
    path = CHECKPOINTS[request.param](tmp_path_factory.mktemp(request.param))
    return path, load_view(path, torch.device("cpu"), torch.float32)


@pytest.fixture
def trained(checkpoint, tmp_path):
    """Call with a precision for the file of a LoRA that holds something in every layer, and by layer what it says."""
    path, view = checkpoint

    def write(precision):
        run = small_run(tmp_path, saving={"precision": precision})
        with frozen(view.unet, *view.text_models), view.exposed(), torch.no_grad():
            trainable = run.method.attach(view, 0)
            for key, module in cast(Adapter, trainable).modules.items():
                for name, parameter in module.named_parameters():
                    parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator_for(key, name)))
            lora.write_adapter(tmp_path / "ghost.safetensors", trainable, about(run, family=view.family))
            deltas = dict(trainable.deltas())
            trainable.detach()
        places = {layer.key: f"{COMPONENTS[layer.part]}.{layer.path}" for layer in view.layers()}
        return tmp_path / "ghost.safetensors", {key: places[key] for key in deltas}, deltas

    return write


def diffusers_deltas(checkpoint, path):
    """By component and path, what diffusers' layers add to their weights."""
    pipeline, found = load_pipeline(checkpoint, torch.float32), {}
    pipeline.load_lora_weights(path)
    for component in filter(pipeline.components.get, COMPONENTS.values()):
        for name, module in getattr(pipeline, component).named_modules():
            if getattr(module, "lora_A", None):
                adapter, = module.lora_A
                found[f"{component}.{name}"] = module.get_delta_weight(adapter).detach().float()
    return found


def lycoris_deltas(checkpoint, path, places, monkeypatch):
    """By component and path, what LyCORIS' modules add. It names layers by their paths, whatever the family."""
    pipeline, found, tensors = load_pipeline(checkpoint, torch.float32), {}, defaultdict(dict)
    for key, tensor in load_file(path).items():
        layer, _, rest = key.partition(".")
        component, _, inside = places[layer].partition(".")
        tensors[component][f"lora_{inside.replace(INSIDE, '').replace('.', '_')}.{rest}"] = tensor
    monkeypatch.setattr(LycorisNetwork, "LORA_PREFIX", "lora")
    for component, held in tensors.items():
        part = getattr(pipeline, component)
        part = getattr(part, "text_model", part)
        network, _ = create_lycoris_from_weights(1.0, None, part, weights_sd=held)
        found |= {f"{component}.{module.lora_name}": module.get_diff_weight()[0].detach() for module in network.loras}
    return found


def by_place(deltas, places):
    return {places[key].replace(INSIDE, ""): delta for key, delta in deltas.items()}


@pytest.mark.parametrize(("checkpoint", "precision"), [*(("sd1", precision) for precision in verify.TOLERANCE),
                                                       ("sd2", "fp16"), ("sdxl", "fp16")], indirect=["checkpoint"])
def test_diffusers_reads_every_key_as_it_was_trained(checkpoint, trained, precision):
    path, places, deltas = trained(precision)
    read = {place.replace(INSIDE, ""): delta for place, delta in diffusers_deltas(checkpoint[0], path).items()}
    assert verify.differences(read, by_place(deltas, places), precision) == []


@pytest.mark.parametrize("checkpoint", CHECKPOINTS, indirect=True)
def test_lycoris_reads_every_key_as_it_was_trained(checkpoint, trained, monkeypatch):
    path, places, deltas = trained("fp32")
    read = lycoris_deltas(checkpoint[0], path, places, monkeypatch)
    component_first = {place.partition(".")[0] + ".lora_" + place.partition(".")[2].replace(".", "_"): delta
                       for place, delta in by_place(deltas, places).items()}
    assert verify.differences(read, component_first, "fp32") == []
