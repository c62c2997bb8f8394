"""The noise process and the loss."""

import pytest
import torch

from extension_lib.config.run import Noise
from extension_lib.diffusion.loss import WEIGHTINGS, sample_losses
from extension_lib.diffusion.noise import add_noise, add_random_noise, zero_terminal_snr
from extension_lib.model import Diffusion

ALPHAS = torch.linspace(0.999, 0.005, 1000)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_latents_can_be_recovered_from_noisy_and_target(prediction):
    latents = torch.randn(4, 4, 8, 8)
    made = add_random_noise(latents, Diffusion(ALPHAS, prediction), 0.0, 1)
    signal, spread = (ALPHAS[made.t].sqrt().view(-1, 1, 1, 1), (1 - ALPHAS[made.t]).sqrt().view(-1, 1, 1, 1))
    back = (made.noisy
            - spread * made.target) / signal if prediction == "eps" else signal * made.noisy - spread * made.target
    assert torch.allclose(back, latents, atol=1e-3)


def test_noise_depends_on_the_key_alone():
    latents = torch.zeros(2, 4, 8, 8)
    torch.manual_seed(5)
    one = add_random_noise(latents, Diffusion(ALPHAS, "eps"), 0.0, 3, 7)
    torch.manual_seed(6)
    assert torch.equal(one.noisy, add_random_noise(latents, Diffusion(ALPHAS, "eps"), 0.0, 3, 7).noisy)
    assert not torch.equal(one.noisy, add_random_noise(latents, Diffusion(ALPHAS, "eps"), 0.0, 3, 8).noisy)


def test_offset_noise_moves_whole_channels():
    latents = torch.zeros(64, 4, 16, 16)
    plain = add_random_noise(latents, Diffusion(ALPHAS, "eps"), 0.0, 1).target.mean((2, 3)).std()
    moved = add_random_noise(latents, Diffusion(ALPHAS, "eps"), 0.5, 1).target.mean((2, 3)).std()
    assert moved > 3 * plain


@pytest.mark.parametrize("snr, prediction, expected", [
    (100.0, "eps", 0.05), (2.0, "eps", 1.0), (0.0, "eps", 1.0), (100.0, "v", 5 / 101), (1.0, "v", 0.5),
    (0.0, "v", 0.0)])
def test_min_snr_holds_the_weight_of_the_clean_picture_at_gamma(snr, prediction, expected):
    assert WEIGHTINGS["min-snr"](torch.tensor([snr]), prediction, 5.0).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("snr, prediction, expected", [
    (4.0, "eps", 0.5), (0.0, "eps", 1000**0.5), (0.0001, "eps", 1000**0.5), (1e6, "eps", 1000**-0.5), (3.0, "v", 0.25),
    (0.0, "v", 1.0)])
def test_debiased_is_finite_at_every_noise(snr, prediction, expected):
    assert WEIGHTINGS["debiased"](torch.tensor([snr]), prediction, 5.0).item() == pytest.approx(expected, rel=1e-4)


def test_with_zero_terminal_snr_the_schedule_begins_as_before_and_ends_as_in_the_webui():
    moved = zero_terminal_snr(torch.tensor([0.81, 0.36, 0.09]))  # signal 0.9, 0.6 and 0.3, from which 0.3 is taken
    assert moved.tolist() == pytest.approx([0.81, 0.45**2, 4.8973451890853435e-08])


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_with_zero_terminal_snr_every_weighting_is_finite_at_the_last_timestep(prediction):
    latents, last = torch.ones(1, 4, 2, 2), torch.tensor([999])
    for end in (0.0, None):
        bars = zero_terminal_snr(ALPHAS)
        bars[-1] = bars[-1] if end is None else end
        noisy = add_noise(latents, torch.randn(1, 4, 2, 2), last, Diffusion(bars, prediction))
        for weighting in WEIGHTINGS:
            noise = Noise(weighting=weighting)
            loss = sample_losses(torch.zeros_like(latents), noisy.target, noisy.snr, prediction, noise)
            assert loss.isfinite().all(), (weighting, end)


def test_under_a_mask_only_what_counts_is_an_error():
    predicted, target, snr = torch.zeros(2, 4, 8, 8), torch.zeros(2, 4, 8, 8), torch.ones(2)
    predicted[0, :, :4], predicted[1, :, 4:] = 1.0, 1.0
    masks = torch.zeros(2, 1, 8, 8)
    masks[:, :, :4] = 1.0
    masked = sample_losses(predicted, target, snr, "eps", Noise(weighting="none"), masks)
    assert masked.tolist() == pytest.approx([1.0, 0.0])


def test_every_weighting_changes_the_loss():
    predicted, target, snr = torch.randn(8, 4, 8, 8), torch.randn(8, 4, 8, 8), torch.logspace(-2, 3, 8)
    values = {w: sample_losses(predicted, target, snr, "eps", Noise(weighting=w)).sum().item() for w in WEIGHTINGS}
    assert len(set(values.values())) == len(WEIGHTINGS)
