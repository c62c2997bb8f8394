"""Stable Diffusion 2 and XL standalone: they compute what diffusers does, and learn by every method."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import tiny
import torch
from eager import SHIPPED, run_of
from helpers import draw_pictures, small_run, trained
from kohya import kohya_layers
from tiny_settings import SD2, SDXL

from extension_lib.events import Stepped, Warned
from extension_lib.export.products import FILES
from extension_lib.families import FAMILIES
from extension_lib.host import Picture, find_checkpoint
from extension_lib.hosts.standalone import Standalone
from extension_lib.methods.locon import Locon
from extension_lib.methods.lora import Lora
from extension_lib.model import Framing, sizes_of
from extension_lib.models.checkpoint_parts import empty_modules, places
from extension_lib.models.diffusers_pipeline import CONFIGS
from extension_lib.models.diffusers_view import DiffusersView
from extension_lib.models.frozen import frozen
from extension_lib.runs.start import start_run, workspace_for

FAMILIES_TO_LEARN = {"sdxl": (replace(SDXL, channels=(32, 64, 64)), "eps"),
                     "sd2": (replace(SD2, channels=(32, 32, 64, 64)), "v")}  # narrower than those of the WebUI's tests
CPU = torch.device("cpu")
PICTURE = Picture("a ghost", width=64, height=64, steps=2)


@pytest.fixture(scope="module", params=FAMILIES_TO_LEARN)
def studio(request, tmp_path_factory):
    host = Standalone(tmp_path_factory.mktemp(request.param))
    host.folders.checkpoints.mkdir(parents=True)
    tiny.write(host.folders.checkpoints, "tiny", *FAMILIES_TO_LEARN[request.param])
    assert host.load(find_checkpoint(host, "tiny")).view.family.name == request.param
    return host


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory):
    from extension_lib.models.diffusers_view import load_view

    return load_view(tiny.write_sdxl(tmp_path_factory.mktemp("sdxl")), CPU, torch.float32)


def distance(one, other):
    """The mean difference of two pictures, of 255."""
    return (torch.tensor(list(one.tobytes())).float() - torch.tensor(list(other.tobytes())).float()).abs().mean().item()


CALLED = {"lora": "<lora:{}:1>", "embedding": "{}", "hypernetwork": "<hypernet:{}:1>"}  # by the kind of file


def drawn_with(host, kind, name):
    """The picture that a prompt draws with a trained file."""
    if kind == "checkpoint":
        host.load(find_checkpoint(host, name))
        try:
            return host.draw([PICTURE])[0]
        finally:
            host.load(find_checkpoint(host, "tiny"))
    return host.draw([replace(PICTURE, prompt=f"{PICTURE.prompt} {CALLED[kind].format(name)}")])[0]


@pytest.mark.parametrize("way", sorted(SHIPPED))
def test_every_method_learns_and_its_file_changes_the_picture(studio, way, tmp_path):
    name = f"{way}x"
    run = run_of(draw_pictures(tmp_path / "pictures", 2), way, base={"checkpoint": "tiny"}, output={"name": name},
                 saving={"precision": "fp32"})
    before = studio.draw([PICTURE])[0]
    job = start_run(run, studio, workspace_for(run, studio))
    assert not job.wait(300).failed, job.ended.why
    assert not [e for e in job.history if isinstance(e, Warned) and "does not load" in e.message]
    assert studio.draw([PICTURE])[0] == before
    kind = FILES[run.method.files()[0]].kind
    assert distance(drawn_with(studio, kind, name), before) > 0.01


def test_a_run_whose_blocks_wait_in_the_system_s_memory_takes_the_same_steps(studio, tmp_path):
    losses = []
    for offload in (False, True):
        run = run_of(draw_pictures(tmp_path / "pictures", 2), "lora", base={"checkpoint": "tiny"},
                     output={"name": f"offload{offload}"}, training={"offload": offload, "checkpointing": True})
        job = start_run(run, studio, workspace_for(run, studio))
        assert not job.wait(300).failed, job.ended.why
        losses.append([event.loss for event in job.history if isinstance(event, Stepped)])
    assert losses[0] == losses[1] != []


def test_stable_diffusion_xl_predicts_what_diffusers_own_parts_do(sdxl):
    """Two encoders' penultimate layers side by side, the second's pooled vector, and six numbers of each picture."""
    prompts, noisy, t = ["a cat", "a dog in the rain"], torch.randn(2, 4, 12, 8), torch.tensor([10, 900])
    sizes = torch.tensor([(700.0, 500, 3, 40, 96, 64), (96, 64, 0, 0, 96, 64)])
    with torch.no_grad():
        hidden, _, pooled, _ = sdxl.pipeline.encode_prompt(prompts, do_classifier_free_guidance=False)
        told = {"text_embeds": pooled, "time_ids": sizes}
        theirs = sdxl.pipeline.unet(noisy, t, encoder_hidden_states=hidden, added_cond_kwargs=told).sample
        ours = sdxl.predict(noisy, t, sdxl.encode_prompts(prompts).sized(sizes))
    assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4) and theirs.std() > 0.1


@pytest.mark.parametrize("changed", [((900, 500), (0, 0), (96, 64)), ((700, 500), (0, 9), (96, 64)),
                                     ((700, 500), (0, 0), (64, 64))])
def test_each_of_the_sizes_changes_what_stable_diffusion_xl_predicts(sdxl, changed):
    noisy, t, condition = torch.randn(1, 4, 8, 8), torch.tensor([500]), sdxl.encode_prompts(["a cat"])
    with torch.no_grad():
        one, other = (sdxl.predict(noisy, t, condition.sized(sizes_of([Framing(*framing)])))
                      for framing in (((700, 500), (0, 0), (96, 64)), changed))
    assert (one - other).abs().max() > 1e-4


def test_the_layer_that_stable_diffusion_xl_does_not_read_learns_nothing_and_is_saved_as_zero(sdxl, pictures):
    with frozen(sdxl.unet, *sdxl.text_models, sdxl.vae):
        _, trainable = trained(sdxl, small_run(pictures, training={"steps": 2}))
        still = {key.rpartition("_layers_")[2][0] for key, delta in trainable.deltas().items()
                 if "lora_te" in key and not delta.any()}
        unmoved = [key for key, delta in trainable.deltas().items() if not delta.any()]
        trainable.detach()
    assert still == {"2"} and len(unmoved) == 6 and all("lora_te1" in key for key in unmoved)


# ---- names at full size, without memory for weights

def full_size(family):
    modules = empty_modules(CONFIGS / family.name, family)
    pipeline = SimpleNamespace(components={**modules, "tokenizer": None, "tokenizer_2": None}, **modules)
    return DiffusersView(pipeline, CPU, torch.float32, family, None)


def kohya_s(family):
    shapes = {place.tensor: torch.empty(place.shape, device="meta") for place in places(CONFIGS / family.name, family)}
    fused = {name.replace("[0/3]", ""): t.repeat(3, *[1] * (t.dim() - 1)) for name, t in shapes.items()
             if name.endswith("[0/3]")}
    last = {name.replace("resblocks.22.", "resblocks.23."): t for name, t in {**shapes, **fused}.items()
            if name.startswith("cond_stage_model.model.transformer.resblocks.22.")}  # the file's, which nobody loads
    return kohya_layers({**shapes, **fused, **last}, family)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_lora_s_layers_are_those_of_kohya_s_rules_at_full_size(family):
    layers = full_size(family).layers()
    chosen = Lora().select_layers(layers)
    counts = {part: sum(layer.part == part for layer in chosen) for part in ("unet", "te1", "te2")}
    assert counts == {"sd1": {"unet": 192, "te1": 72, "te2": 0}, "sd2": {"unet": 192, "te1": 138, "te2": 0},
                      "sdxl": {"unet": 722, "te1": 72, "te2": 192}}[family.name]
    assert {layer.key: layer.shape for layer in chosen} == kohya_s(family)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_locon_has_the_convolutions_of_every_residual_block_and_between_levels_too(family):
    layers = full_size(family).layers()
    blocks = {"sd1": 22, "sd2": 22, "sdxl": 17}[family.name]
    shortcuts, between = {"sd1": (14, 6), "sd2": (14, 6), "sdxl": (11, 4)}[family.name]
    assert len(Locon().select_layers(layers)) - len(Lora().select_layers(layers)) == 3 * blocks + shortcuts + between
