"""The noise process and the loss."""

import pytest
import torch

from extension_lib.config.noise import LOSSES, Noise
from extension_lib.diffusion.loss import ERRORS, SCHEDULES, WEIGHTINGS, sample_losses
from extension_lib.diffusion.noise import NoisyLatents, add_noise, add_random_noise, zero_terminal_snr
from extension_lib.model import Diffusion
from extension_lib.settings import SettingError, options

ALPHAS = torch.linspace(0.999, 0.005, 1000)
EPS = Diffusion(ALPHAS, "eps")
SCHEDULE_NAMES = next(o.choices for o in options(Noise) if o.name == "huber_schedule")


def at_levels(target, snr, t=None):
    return NoisyLatents(target, target, torch.zeros(len(snr)) if t is None else t, snr)


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_latents_can_be_recovered_from_noisy_and_target(prediction):
    latents = torch.randn(4, 4, 8, 8)
    made = add_random_noise(latents, Diffusion(ALPHAS, prediction), Noise(), 1)
    signal, spread = (ALPHAS[made.t].sqrt().view(-1, 1, 1, 1), (1 - ALPHAS[made.t]).sqrt().view(-1, 1, 1, 1))
    back = (made.noisy
            - spread * made.target) / signal if prediction == "eps" else signal * made.noisy - spread * made.target
    assert torch.allclose(back, latents, atol=1e-3)


def test_noise_depends_on_the_key_alone():
    latents = torch.zeros(2, 4, 8, 8)
    torch.manual_seed(5)
    one = add_random_noise(latents, EPS, Noise(), 3, 7)
    torch.manual_seed(6)
    assert torch.equal(one.noisy, add_random_noise(latents, EPS, Noise(), 3, 7).noisy)
    assert not torch.equal(one.noisy, add_random_noise(latents, EPS, Noise(), 3, 8).noisy)


def test_offset_noise_moves_whole_channels():
    latents = torch.zeros(64, 4, 16, 16)
    plain = add_random_noise(latents, EPS, Noise(), 1).target.mean((2, 3)).std()
    moved = add_random_noise(latents, EPS, Noise(noise_offset=0.5), 1).target.mean((2, 3)).std()
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
            loss = sample_losses(torch.zeros_like(latents), noisy, prediction, noise)
            assert loss.isfinite().all(), (weighting, end)


def test_under_a_mask_only_what_counts_is_an_error():
    predicted, noisy = torch.zeros(2, 4, 8, 8), at_levels(torch.zeros(2, 4, 8, 8), torch.ones(2))
    predicted[0, :, :4], predicted[1, :, 4:] = 1.0, 1.0
    masks = torch.zeros(2, 1, 8, 8)
    masks[:, :, :4] = 1.0
    masked = sample_losses(predicted, noisy, "eps", Noise(weighting="none"), masks)
    assert masked.tolist() == pytest.approx([1.0, 0.0])


def test_every_weighting_changes_the_loss():
    noisy, predicted = at_levels(torch.randn(8, 4, 8, 8), torch.logspace(-2, 3, 8)), torch.randn(8, 4, 8, 8)
    values = {w: sample_losses(predicted, noisy, "eps", Noise(weighting=w)).sum().item() for w in WEIGHTINGS}
    assert len(set(values.values())) == len(WEIGHTINGS)


# ---- kinds of noise

def test_coarser_noise_is_the_same_over_large_areas_and_has_a_spread_of_one():
    latents = torch.zeros(64, 4, 32, 32)
    plain, coarse, gentle = (add_random_noise(latents, EPS, noise, 1).target for noise in (
        Noise(), Noise(multires_levels=6, multires_discount=0.8), Noise(multires_levels=6)))
    assert torch.allclose(coarse.std((1, 2, 3)), torch.ones(64), atol=1e-4)
    areas = [noise.unfold(2, 8, 8).unfold(3, 8, 8).mean((4, 5)).std() for noise in (plain, gentle, coarse)]
    assert 1.1 * areas[0] < areas[1] and 2 * areas[1] < areas[2]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2)])
def test_coarser_noise_fits_latents_of_any_size(shape):
    noise = add_random_noise(torch.zeros(2, 4, *shape), EPS, Noise(multires_levels=10), 1)
    assert noise.noisy.shape == (2, 4, *shape) and noise.noisy.isfinite().all()


@pytest.mark.parametrize("prediction", ["eps", "v"])
def test_the_input_is_perturbed_by_noise_that_is_not_to_be_predicted(prediction):
    latents, diffusion = torch.randn(2, 4, 64, 64), Diffusion(ALPHAS, prediction)
    plain = add_random_noise(latents, diffusion, Noise(), 1)
    perturbed = add_random_noise(latents, diffusion, Noise(input_perturbation=0.1), 1)
    assert torch.equal(plain.target, perturbed.target) and torch.equal(plain.t, perturbed.t)
    spread = (perturbed.noisy - plain.noisy).std((1, 2, 3))
    assert torch.allclose(spread, 0.1 * (1 - ALPHAS[plain.t]).sqrt(), rtol=0.05)


def test_only_timesteps_of_the_range_are_trained_on():
    t = add_random_noise(torch.zeros(500, 1, 1, 1), EPS, Noise(min_timestep=200, max_timestep=300), 1).t
    assert (t.min(), t.max()) == (200, 299)
    with pytest.raises(SettingError, match="min_timestep is 300, but must be lower"):
        Noise(min_timestep=300, max_timestep=300).require_range()


@pytest.mark.parametrize("noise", [Noise(noise_offset=0.1), Noise(multires_levels=6), Noise(input_perturbation=0.1),
                                   Noise(max_timestep=100), Noise(min_timestep=500)])
def test_every_kind_of_noise_depends_on_the_key_alone(noise):
    one, same, other = (add_random_noise(torch.zeros(2, 4, 16, 16), EPS, noise, key) for key in (1, 1, 2))
    assert all(map(torch.equal, one, same)) and not torch.equal(one.noisy, other.noisy)
    assert not torch.equal(one.noisy, add_random_noise(torch.zeros(2, 4, 16, 16), EPS, Noise(), 1).noisy)


@pytest.mark.parametrize("noise", [Noise(), Noise(noise_offset=0.1, multires_levels=6, input_perturbation=0.1)])
def test_a_sample_s_noise_does_not_depend_on_those_beside_it(noise):
    latents = torch.randn(5, 4, 16, 16)
    together = add_random_noise(latents, EPS, noise, 1)
    some = add_random_noise(latents[1::2], EPS, noise, 1, places=(1, 3), count=5)
    assert all(torch.equal(part[1::2], own) for part, own in zip(together, some))
    assert not torch.equal(together.target[0], together.target[1])


# ---- kinds of loss

@pytest.mark.parametrize("loss, small, large", [("Huber", lambda e, c: e**2, lambda e, c: 2 * c * e),
                                                ("smooth L1", lambda e, c: e**2 / c, lambda e, c: 2 * e)])
def test_a_small_error_counts_as_its_square_and_a_large_one_as_itself(loss, small, large):
    c = torch.tensor(0.1)
    for error, expected in ((1e-3, small), (100.0, large)):
        assert ERRORS[loss](torch.tensor(error), c).item() == pytest.approx(expected(error, 0.1), rel=2e-3)


def test_c_falls_from_one_without_noise_to_its_value_at_the_highest():
    ends = at_levels(torch.zeros(2, 1, 1, 1), torch.tensor([1e12, 0.0]), torch.tensor([0, 1000]))
    falling = {name: schedule(ends, 0.1).tolist() for name, schedule in SCHEDULES.items()}
    assert falling["constant"] == pytest.approx([0.1, 0.1])
    assert all(falling[name] == pytest.approx([1.0, 0.1], abs=1e-4) for name in ("exponential", "snr"))
    middle = at_levels(torch.zeros(1, 1, 1, 1), torch.tensor([1.0]), torch.tensor([500]))
    assert SCHEDULES["exponential"](middle, 0.01).item() == pytest.approx(0.1)
    assert SCHEDULES["snr"](middle, 0.1).item() == pytest.approx(0.9 / 4 + 0.1)


def test_every_loss_and_schedule_has_its_function_and_is_finite_at_zero_terminal_snr():
    assert set(ERRORS) == set(LOSSES) and set(SCHEDULES) == set(SCHEDULE_NAMES)
    noisy = add_noise(torch.ones(1, 4, 2, 2), torch.ones(1, 4, 2, 2), torch.tensor([999]),
                      Diffusion(zero_terminal_snr(ALPHAS), "v"))
    losses = [sample_losses(torch.zeros(1, 4, 2, 2), noisy, "v", Noise("none", loss=loss, huber_schedule=schedule))
              for loss in ERRORS for schedule in SCHEDULES]
    assert torch.cat(losses).isfinite().all()
