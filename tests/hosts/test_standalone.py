"""The standalone host: what it takes, what it refuses, and how tags are read."""

import pytest
import torch
from helpers import BASE
from safetensors.torch import save_file

from extension_lib.compare.tags import Tag, split_prompt
from extension_lib.diffusion.noise import zero_terminal_snr
from extension_lib.families.sd1 import SD1
from extension_lib.host import HostError
from extension_lib.hosts.drawing.sampling import SAMPLERS, scheduler_of
from extension_lib.model import Diffusion
from extension_lib.models.detect import require_trainable, said_beside

FIRST = "model.diffusion_model.input_blocks.0.0.weight"


def checkpoint(folder, inputs=4, **keys):
    tensors = {FIRST: torch.zeros(8, inputs, 3, 3), **{k: torch.zeros(1) for k in keys.values()}}
    save_file(tensors, folder / "some.safetensors")
    return folder / "some.safetensors"


def test_toyland_s_base_is_stable_diffusion_1():
    assert require_trainable(BASE).family is SD1


@pytest.mark.parametrize("inputs, key, said", [
    (4, "conditioner.embedders.0.model.x", "Stable Diffusion XL refiner"),
    (4, "conditioner.embedders.1.model.x", "with fewer layers"),
    (9, "conditioner.embedders.1.model.x", "9 input channels"),
    (9, "cond_stage_model.transformer.x", "9 input channels"),
    (4, "lora_unet_x.alpha", "a LoRA"), (4, "other", "no UNet with a CLIP")])
def test_another_family_is_refused_by_name(tmp_path, inputs, key, said):
    with pytest.raises(HostError, match=said):
        require_trainable(checkpoint(tmp_path, inputs, key=key))


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(HostError, match=r"no checkpoint .*gone"):
        require_trainable(tmp_path / "gone.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(HostError, match="broken.safetensors is not a readable"):
        require_trainable(tmp_path / "broken.safetensors")


@pytest.mark.parametrize("prompt, text, tags", [("a ghost", "a ghost", []),
                                                ("a <lora:x>b", "a b", [Tag("lora", "x", 1.0, 1.0)]),
                                                ("<lora:x:0.5>", "", [Tag("lora", "x", 0.5, 0.5)]),
                                                ("<lora:x:0.2:0.8>", "", [Tag("lora", "x", 0.2, 0.8)]),
                                                ("<lyco:x:te=0.1:unet=0.9>", "", [Tag("lora", "x", 0.1, 0.9)]),
                                                ("<lora:鬼 魂:1>", "", [Tag("lora", "鬼 魂", 1.0, 1.0)])])
def test_tags_are_read_as_the_webui_reads_them(prompt, text, tags):
    assert split_prompt(prompt) == (text, tags)


@pytest.mark.parametrize("text, velocity", [
    ('model:\n  params:\n    parameterization: "v"\n', True), ("    parameterization: v # as 2.1", True),
    ("            target: sgm.modules.diffusionmodules.denoiser_scaling.VScaling\n", True),
    ("            target: sgm.modules.diffusionmodules.denoiser_scaling.EpsScaling\n", False),
    ('    parameterization: "eps"', False), ("    vae: v", False)])
def test_what_a_checkpoint_predicts_is_read_from_the_yaml_beside_it(tmp_path, text, velocity):
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert said_beside(tmp_path / "a.yaml") == ("v" if velocity else "eps") and not said_beside(tmp_path / "none.yaml")


def test_a_sampler_that_is_not_there_is_named():
    with pytest.raises(HostError, match="no sampler 'DPM' here. Choose one of Euler"):
        scheduler_of("DPM", Diffusion(torch.linspace(0.999, 0.005, 10), "eps"), 4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_pictures_are_drawn_by_the_model_s_own_schedule(sampler):
    bars = torch.linspace(0.999, 0.005, 1000)
    for diffusion in (Diffusion(bars, "eps"), Diffusion(zero_terminal_snr(bars), "v")):
        made = scheduler_of(sampler, diffusion, 10)
        assert torch.equal(made.alphas_cumprod, diffusion.alphas_cumprod)
        assert made.config.prediction_type == {"eps": "epsilon", "v": "v_prediction"}[diffusion.prediction]
        if hasattr(made, "sigmas"):
            assert made.sigmas[0].item() == pytest.approx(noise_ratio(diffusion.alphas_cumprod[-1]), rel=1e-5)
        latents = torch.ones(1, 4, 2, 2)
        for t in made.timesteps:
            latents = made.step(torch.zeros_like(latents), t, latents).prev_sample
        assert latents.isfinite().all()


def noise_ratio(bar):
    return ((1 - bar) / bar).sqrt().item()
