"""Rates, accumulation, clipping, and the loss scale of fp16."""

import pytest
import torch
from torch import nn

from extension_lib.config.optimizers import OPTIMIZERS
from extension_lib.config.run import Training
from extension_lib.methods.base import ParameterGroup
from extension_lib.settings import SettingError
from extension_lib.training.optimizer import DOUBLE_AFTER, Optimizer
from extension_lib.training.schedules import SCHEDULES, rate_factor


def optimizer(scaled=False, **settings):
    weight = nn.Parameter(torch.tensor([1.0, -2.0]))
    return Optimizer([ParameterGroup("unet", 0.1, [weight])], Training(**settings), scaled), weight


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_rate_rises_then_follows_its_schedule(schedule):
    training = Training(steps=100, warmup=0.1, schedule=schedule)
    rates = [rate_factor(n, training) for n in range(100)]
    assert 0 < rates[0] < rates[5] < rates[9] <= 1
    assert rates[99] == 1 if schedule == "constant" else rates[99] < 0.02
    rises = sum(a < b for a, b in zip(rates[10:], rates[11:]))
    assert rises == (training.cycles - 1 if schedule == "cosine with restarts" else 0)


def test_a_warm_up_in_steps_goes_before_its_share():
    training = Training(steps=100, warmup=0.5, warmup_steps=4, schedule="constant")
    assert [rate_factor(n, training) for n in range(5)] == [0.2, 0.4, 0.6, 0.8, 1.0]


def test_a_power_of_one_is_a_straight_line():
    straight, curved = (Training(schedule=schedule, power=1.0) for schedule in ("linear", "polynomial"))
    assert all(rate_factor(n, straight) == rate_factor(n, curved) for n in range(0, 1500, 7))


def test_accumulated_batches_count_like_one_large_one():
    one, weight = optimizer(accumulation=1, weight_decay=0.0)
    one.backward((weight * torch.tensor([2.0, 4.0])).sum())
    two, other = optimizer(accumulation=2, weight_decay=0.0)
    for part in (torch.tensor([4.0, 8.0]), torch.tensor([0.0, 0.0])):
        two.backward((other * part).sum())
    assert torch.equal(weight.grad, other.grad)


def test_a_long_gradient_is_shortened():
    made, weight = optimizer(clip=1.0)
    made.backward((weight * 300).sum())
    seen = []
    made.inner.register_step_pre_hook(lambda *_: seen.append(weight.grad.norm().item()))
    made.step(0)
    assert seen == [pytest.approx(1.0, rel=1e-5)]


def test_an_overflow_changes_nothing_halves_the_scale_and_is_counted():
    made, weight = optimizer(scaled=True)
    before, scale = weight.detach().clone(), made.scaler.scale
    made.backward((weight * float("inf")).sum())
    assert made.step(0) is False
    assert torch.equal(weight, before) and made.scaler.scale == scale / 2 and made.skipped == 1
    made.backward(weight.sum())
    assert made.step(1) is True and not torch.equal(weight, before)


def test_the_scale_does_not_change_the_step():
    results = []
    for scaled in (False, True):
        made, weight = optimizer(scaled=scaled)
        made.backward((weight * 3).sum())
        made.step(0)
        results.append(weight.detach().clone())
    assert torch.allclose(*results)


def test_a_scale_of_half_precision_is_taken_up_again_and_none_is_taken_from_full():
    half, other, full = (optimizer(scaled=scaled)[0] for scaled in (True, True, False))
    half.scaler.scale = 64.0
    other.load_state_dict(half.state_dict())
    assert other.scaler.scale == 64.0
    other.load_state_dict(full.state_dict())
    full.load_state_dict(half.state_dict())
    assert (other.scaler.scale, full.scaler.scale) == (64.0, 1.0)


def test_moments_of_other_tensors_are_refused():
    made, weight = optimizer()
    made.backward(weight.sum())
    made.step(0)
    other = Optimizer([ParameterGroup("unet", 0.1, [nn.Parameter(torch.zeros(3))])], Training(), scaled=False)
    with pytest.raises(ValueError, match=r"tensor 0 is \(2,\), not \(3,\)"):
        other.load_state_dict(made.state_dict())


def test_the_rate_that_is_told_is_one_that_learns():
    groups = [ParameterGroup(name, rate, [nn.Parameter(torch.ones(2))], span)
              for name, rate, span in (("word", 0.5, (0.0, 0.5)), ("unet", 0.1, (0.5, 1.0)))]
    made = Optimizer(groups, Training(steps=4, schedule="constant", warmup=0.0), scaled=False)
    rates = []
    for step in range(4):
        made.backward(sum(p.sum() for p in made.parameters))
        made.step(step)
        rates.append(made.rate)
    assert rates == [0.5, 0.5, 0.1, 0.1]


def test_a_calm_while_doubles_the_scale():
    made, _ = optimizer(scaled=True)
    scale = made.scaler.scale
    for _ in range(DOUBLE_AFTER):
        made.scaler.update(overflowed=False)
    assert made.scaler.scale == 2 * scale


def test_a_loss_in_which_nothing_trained_has_a_part_changes_nothing():
    made, weight = optimizer(accumulation=2)
    for _ in range(2):
        made.backward(torch.tensor(3.0))
    assert made.step(0) and weight.tolist() == [1.0, -2.0] and made.skipped == 0


def test_a_state_of_an_older_version_is_taken_up_whole():
    made, weight = optimizer()
    made.backward(weight.sum())
    made.step(0)
    state = made.state_dict()
    older = {"adamw": state["moments"], "scale": 1.0, "calm": 0, "skipped": 3}
    other, _ = optimizer()
    other.load_state_dict(older)
    assert str(other.state_dict()) == str({**state, "skipped": 3})


def test_another_optimizer_begins_anew():
    made, weight = optimizer()
    made.backward(weight.sum())
    made.step(0)
    other, _ = optimizer(optimizer="Adafactor")
    other.load_state_dict(made.state_dict())
    assert other.state_dict()["moments"] == {}


@pytest.mark.parametrize("settings, said", [
    ({"betas": "0.9, 1"}, "below 1"), ({"betas": "much"}, "below 1"), ({"betas": "0.9, 0.99, 0.9"}, "AdamW takes 2"),
    ({"optimizer": "Lion", "epsilon": 1e-8}, "Lion takes none"),
])
def test_what_an_optimizer_does_not_take_is_said(settings, said):
    training = Training(**settings)
    with pytest.raises(SettingError, match=said):
        training.optimizer_kind.called_with(training.betas, training.epsilon)


def test_betas_that_are_not_given_are_the_optimizer_s_own():
    assert OPTIMIZERS["CAME"].called_with("0.5", 0.0)["betas"] == (0.5, 0.999, 0.9999)
    assert OPTIMIZERS["AdamW"].called_with("", 1e-6) == {"betas": (0.9, 0.999), "eps": 1e-6}
