"""kohya's settings for Stable Diffusion 2 and XL: what their checkpoints predict, and two text encoders' rates."""

import pytest
from helpers import draw_pictures
from reading import read, said

pytestmark = pytest.mark.once
BASIC = {"LoRA_type": "Standard", "network_dim": 8, "train_batch_size": 1,
         "train_data_dir": "img", "output_name": "ghost",
         "caption_extension": ".txt"}


@pytest.fixture
def folder(tmp_path):
    draw_pictures(tmp_path / "img" / "1_zwx ghost", 2)
    return tmp_path


def test_a_preset_for_xl_keeps_both_text_encoders_rates_and_names_the_clip_skip_without_effect(folder):
    imported, run = read(folder, "xl.json", {**BASIC, "sdxl": True, "unet_lr": 1e-4, "text_encoder_lr": [5e-5, 1e-5],
                                             "clip_skip": 2})
    assert (run.method.unet_rate, run.method.text_rate, run.method.text_rate_2) == (1e-4, 5e-5, 1e-5)
    assert run.data.clip_skip == 1 and said(imported, "clip_skip = 2", "no effect on Stable Diffusion XL")
    assert len(imported.dropped) == 1


@pytest.mark.parametrize("given, prediction", [
    ({"v_parameterization": True}, "v"), ({"v_parameterization": True, "zero_terminal_snr": True},
                                          "v, zero terminal SNR"),
    ({"zero_terminal_snr": True}, "epsilon, zero terminal SNR"), ({}, "from the file")])
def test_what_the_unet_predicts_is_taken_over(folder, given, prediction):
    imported, run = read(folder, "xl.json", {**BASIC, "v2": True, **given})
    assert run.base.prediction == prediction and imported.dropped == ()


def test_dreambooth_s_rates_of_two_encoders_are_taken_over(folder):
    run = read(folder, "db.json", {"train_batch_size": 1, "train_data_dir": "img", "learning_rate": 1e-6,
                                   "learning_rate_te1": 2e-6, "learning_rate_te2": 3e-6})[1]
    assert (run.method.unet_rate, run.method.text_rate, run.method.text_rate_2) == (1e-6, 2e-6, 3e-6)


def test_a_family_that_cannot_be_trained_is_named(folder):
    assert said(read(folder, "flux.json", {**BASIC, "flux1_checkbox": True})[0], "flux1_checkbox", "does not train")


WHOLE = {"train_batch_size": 1, "caption_extension": ".txt", "train_data_dir": "img",
         "full_bf16": True, "fused_backward_pass": True}
SETS_ITS_RATE = {"optimizer": "Adafactor", "optimizer_args": "relative_step=False"}


def test_dreambooth_in_bf16_with_its_step_in_the_backward_pass_is_taken_over(folder):
    imported, run = read(folder, "db.json", {**WHOLE, **SETS_ITS_RATE})
    assert run.method.bf16 and run.training.in_backward and imported.dropped == ()


@pytest.mark.parametrize("given, key, why", [
    ({"optimizer": "Prodigy"}, "full_bf16", "Prodigy needs all gradients"),
    ({"optimizer": "Prodigy"}, "fused_backward_pass", "Prodigy needs all gradients"),
    ({"gradient_accumulation_steps": 2}, "fused_backward_pass", "must be kept")])
def test_what_saves_memory_and_cannot_be_here_is_named(folder, given, key, why):
    assert said(read(folder, "db.json", {**WHOLE, **given})[0], key, why)
