"""Weights that are updated one by one: during the backward pass, and in bf16 with stochastic rounding."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from extension_lib.config.run import Training, from_dict, merge_values, require_startable
from extension_lib.methods.base import ParameterGroup
from extension_lib.runs.preflight import require_in_backward
from extension_lib.settings import SettingError
from extension_lib.training.optimizer import Optimizer
from extension_lib.training.rounding import rounded


def made(*weights, **settings):
    names = tuple(f"w{n}" for n in range(len(weights)))
    training = Training(**{"warmup": 0.0, "schedule": "constant", "weight_decay": 0.0, **settings})
    return Optimizer([ParameterGroup("unet", 1e-3, list(weights), names=names)], training, scaled=False)


def weights(count=3, dtype=torch.float32):
    return [nn.Parameter(torch.full((64, 64), 1.0, dtype=dtype)) for _ in range(count)]


def take(optimizer, loss, step=0):
    with optimizer.during(step):
        optimizer.backward(loss)
    return optimizer.step(step)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_more_than_one_gradient_is_held_during_the_backward_pass(dtype):
    chain, held = weights(5, dtype), []
    optimizer = made(*chain, in_backward=True)
    optimizer.inner.register_step_pre_hook(lambda *_: held.append(
        sum(p.grad is not None for p in {*chain, *map(optimizer.seen, chain)})))
    out = torch.ones(64, 64, dtype=dtype)
    for weight in chain:
        out = (out @ weight).tanh()
    assert take(optimizer, out.float().sum()) and held == [1] * 5
    assert all(weight.grad is None for weight in chain)


def test_a_gradient_that_is_not_finite_skips_its_weight_alone_and_is_counted():
    good, broken = weights(2)
    optimizer = made(good, broken, in_backward=True)
    assert take(optimizer, good.sum() + broken.sum() * float("inf"))
    assert (good != 1).all() and (broken == 1).all() and (optimizer.skipped, optimizer.skipped_weights) == (0, 1)
    assert not take(optimizer, broken.sum() * float("nan")) and optimizer.skipped == 1


def test_during_the_backward_pass_each_gradient_is_clipped_alone():
    short, long = weights(2)
    optimizer, seen = made(short, long, in_backward=True, clip=1.0), []
    optimizer.inner.register_step_pre_hook(lambda inner, *_: seen.append(inner.param_groups[0]["params"][0].grad))
    take(optimizer, short.mean() + long.sum())
    assert sorted(gradient.norm().item() for gradient in seen) == pytest.approx([1 / 64, 1.0], rel=1e-4)


@pytest.mark.parametrize("changes, said", [
    ({"training": {"in_backward": True, "accumulation": 2}}, "training.accumulation sums those of 2 batches"),
    ({"training": {"in_backward": True, "optimizer": "Prodigy"}}, "training.in_backward .* Prodigy needs all"),
    ({"method": {"bf16": True}, "training": {"optimizer": "AdamW schedule-free"}}, "method.bf16 .* needs all"),
    ({"method": {"ema": 0.9}, "training": {"optimizer": "AdamW schedule-free"}}, "averages the steps itself")])
def test_what_does_not_go_together_is_refused_before_the_start(changes, said):
    whole = {"output": {"name": "a"}, "base": {"checkpoint": "b"}, "concepts": [{"folder": "c"}],
             "method": {"name": "dreambooth"}}
    require_startable(from_dict(merge_values(whole, {"method": {"bf16": True}, "training": {"in_backward": True}})))
    with pytest.raises(SettingError, match=said):
        require_startable(from_dict(merge_values(whole, changes)))


@pytest.mark.parametrize("dtype, count, said", [("float16", 1, "does not work in fp16"), ("float32", 2, "processes")])
def test_what_the_model_and_the_processes_do_not_allow_is_refused_before_the_first_step(dtype, count, said):
    run = from_dict({"training": {"in_backward": True}})
    model, ranks = SimpleNamespace(compute=getattr(torch, dtype)), SimpleNamespace(together=count > 1)
    with pytest.raises(SettingError, match=said):
        require_in_backward(run, model, ranks)
    require_in_backward(from_dict({}), model, ranks)


@pytest.mark.parametrize("value", [1.0, -1.0, 3.1e-5, -65000.0, 1e-30])
def test_rounding_keeps_the_mean_and_moves_to_a_neighbour(value):
    values = torch.full((200, 1000), value) * (1 + torch.linspace(0, 2**-7, 200)[:, None])
    found = rounded(values.clone(), "key")
    assert torch.equal(found, found.bfloat16().float())
    assert ((found - values).abs() <= values.abs() * 2**-7).all()
    assert found.double().mean().item() == pytest.approx(values.double().mean().item(), rel=2e-5)


def test_rounding_leaves_what_bf16_holds_and_depends_on_its_key_alone():
    exact = torch.tensor([0.0, -0.0, 1.5, float("inf"), -float("inf")])
    assert torch.equal(rounded(exact.clone(), 1), exact) and rounded(torch.tensor([float("nan")]), 1).isnan().all()
    one, again, other = (rounded(torch.full((99,), 1.003), *key) for key in ((0, 1, "w"), (0, 1, "w"), (0, 2, "w")))
    assert torch.equal(one, again) and not torch.equal(one, other)


@pytest.mark.parametrize("in_backward", [False, True])
def test_changes_below_the_resolution_of_bf16_add_up_in_all_runs_alike(in_backward):
    """1/1000 of a step of Lion is 4 times below half of bf16's spacing at 1, so that rounding to the nearest would lose
    all."""
    def run():
        weight, = weights(1, torch.bfloat16)
        optimizer = made(weight, in_backward=in_backward, clip=0.0)
        for step in range(20):
            take(optimizer, weight.float().sum(), step)
        return weight

    one, again = run(), run()
    assert torch.equal(one, again) and one.float().mean().item() == pytest.approx(1 - 20e-3, abs=1e-3)
