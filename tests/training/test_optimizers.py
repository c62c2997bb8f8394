"""What every optimiser does: it learns, resumes bit for bit, respects groups and spans, clipping and fp16 scaling."""

import os
from copy import deepcopy

import pytest
import torch
from helpers import ROOT
from torch import nn

from extension_lib.config.optimizers import OPTIMIZERS
from extension_lib.config.run import Training
from extension_lib.methods.base import ParameterGroup
from extension_lib.methods.dreambooth import WholeModel
from extension_lib.model import Weight
from extension_lib.runs.state import read_state, write_state
from extension_lib.setup.optimizer_packages import is_installed
from extension_lib.training.optimizer import Optimizer

KINDS = [kind for kind in OPTIMIZERS.values() if is_installed(kind)]
STEPS = 12
DEVICE = os.environ.get("DEVICE", "cpu")  # docs/benchmarks.md names what a card must confirm
SPANS = {"unet": (0.0, 1.0), "early": (0.0, 0.5), "late": (0.5, 1.0)}
pytestmark = pytest.mark.filterwarnings("ignore:Paged optimizers are not supported on CPU")


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request):
    return request.param


@pytest.mark.once
def test_all_are_tried_with_current_versions_and_each_package_is_in_the_extra():
    assert [kind.name for kind in KINDS] == list(OPTIMIZERS)
    extra = (ROOT / "pyproject.toml").read_text(encoding="utf-8").partition("optimisers = [")[2].partition("]")[0]
    assert all(f'"{kind.package}>=' in extra for kind in KINDS if kind.package)


class Weights:
    """Something trainable: matrices large enough to be held in 8 bits, and a vector that is not."""

    def __init__(self, kind, spans=SPANS, rate=3e-3, scaled=False, dtype=torch.float32, **settings):
        torch.manual_seed(1)
        self.named = {name: nn.Parameter(torch.randn(64, 65).to(DEVICE, dtype)) for name in spans}
        self.vector = nn.Parameter(torch.zeros(64, device=DEVICE))
        rates = {name: rate / (n + 1) for n, name in enumerate(spans)}
        groups = [ParameterGroup(name, rates[name], [p, *([self.vector] if name == "unet" else [])], spans[name],
                                 (name, "vector")) for name, p in self.named.items()]
        self.optimizer = Optimizer(groups, Training(**{"optimizer": kind.name, "steps": STEPS, "warmup": 0.1,
                                                       "schedule": "linear", **settings}), scaled)

    def state_dict(self):
        return {**self.named, "vector": self.vector}

    @torch.no_grad()
    def load_state_dict(self, state):
        for name, tensor in self.state_dict().items():
            tensor.copy_(state[name])

    def values(self):
        return {name: tensor.detach().clone() for name, tensor in self.state_dict().items()}

    def loss(self):
        wanted = torch.linspace(-1, 1, 65, device=DEVICE)
        return sum((p - wanted).square().mean() for p in self.named.values()) + (self.vector - 1).square().mean()

    def train(self, *steps, factor=1.0):
        for step in steps:
            noise = torch.randn(64, 65, generator=torch.Generator().manual_seed(step)).to(DEVICE)
            with self.optimizer.during(step):
                self.optimizer.backward(factor * (self.loss() + sum((p * noise).mean() for p in self.named.values())))
            self.optimizer.step(step)
        return self


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


def numbers(tree):
    """All that a state holds, as comparable values."""
    if isinstance(tree, dict):
        return {key: numbers(value) for key, value in tree.items()}
    return tree.tolist() if isinstance(tree, torch.Tensor) else tree


def test_it_learns(kind):
    made = Weights(kind, rate=0.02 if kind.name == "Lion" else 0.05, steps=100,
                   schedule="constant")
    first = made.loss().item()
    made.train(*range(100))
    with made.optimizer.averaged(made):
        assert made.loss().item() < 0.6 * first
    assert made.optimizer.rate > 1e-5


@pytest.mark.parametrize("stop", [2, STEPS // 2, STEPS - 2])
def test_it_resumes_bit_for_bit_from_the_state_on_disk(kind, stop, tmp_path):
    """Also when what it learned was looked at on the way, and in the middle of the run, where one group ends and
    another begins."""
    whole = Weights(kind, scaled=True).train(*range(STEPS))
    first = Weights(kind, scaled=True).train(*range(stop))
    with first.optimizer.averaged(first):
        pass
    write_state(tmp_path / "state", {"trained": first.state_dict(), "optimizer": first.optimizer.state_dict()})
    saved = read_state(tmp_path / "state")
    second = Weights(kind, scaled=True)
    second.load_state_dict(saved["trained"])
    second.optimizer.load_state_dict(saved["optimizer"])
    assert numbers(second.optimizer.state_dict()) == numbers(first.optimizer.state_dict())
    second.train(*range(stop, STEPS))
    assert same(second.values(), whole.values())
    assert numbers(second.optimizer.state_dict()) == numbers(whole.optimizer.state_dict())
    with second.optimizer.averaged(second), whole.optimizer.averaged(whole):
        assert same(second.values(), whole.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.one_by_one], ids=lambda kind: kind.name)
def test_updated_during_the_backward_pass_weights_are_those_of_ordinary_steps_also_when_that_is_switched(kind, dtype):
    ordinary, within, switched = (Weights(kind, clip=0.0, in_backward=way, dtype=dtype) for way in (False, True, False))
    ordinary.train(*range(STEPS))
    within.train(*range(STEPS // 2))
    switched.load_state_dict(within.values())
    switched.optimizer.load_state_dict(deepcopy(within.optimizer.state_dict()))
    for one in (within, switched):
        one.train(*range(STEPS // 2, STEPS))
        assert same(one.values(), ordinary.values())
        assert numbers(one.optimizer.state_dict()) == numbers(ordinary.optimizer.state_dict())


def test_a_group_outside_its_span_does_not_move(kind):
    made = Weights(kind, weight_decay=0.5)
    start, half = made.values(), made.train(*range(STEPS // 2)).values()
    with made.optimizer.averaged(made):
        seen = made.values()
        assert torch.equal(seen["late"], start["late"])
    end = made.train(*range(STEPS // 2, STEPS)).values()
    assert torch.equal(half["late"], start["late"]) and not torch.equal(half["early"], start["early"])
    assert torch.equal(end["early"], half["early"]) and not torch.equal(end["late"], half["late"])
    with made.optimizer.averaged(made):
        assert torch.equal(made.values()["early"], seen["early"])


def test_a_late_group_begins_as_it_would_alone(kind):
    late = Weights(kind, {"late": (0.5, 1.0)}, clip=0.0).train(*range(STEPS))
    both = Weights(kind, {"early": (0.0, 0.5), "late": (0.5, 1.0)}, clip=0.0)
    with torch.no_grad():
        both.named["late"].copy_(Weights(kind, {"late": (0.5, 1.0)}).named["late"])
    both.optimizer.groups[1]["rate"] = late.optimizer.groups[0]["rate"]
    assert torch.equal(both.train(*range(STEPS)).named["late"], late.named["late"])


def test_a_group_with_half_the_rate_goes_half_as_far(kind):
    made = Weights(kind, {"unet": (0.0, 1.0), "te1": (0.0, 1.0)}, warmup=0.0, weight_decay=0.0)
    start = torch.full((64, 65), 2.0)
    made.load_state_dict({"unet": start, "te1": start, "vector": torch.ones(64)})
    made.train(0)
    moved = {name: (2.0 - value).mean().item() for name, value in made.values().items()}
    assert moved["te1"] == pytest.approx(moved["unet"] / 2, rel=0.02) and moved["te1"] > 0


def test_it_is_given_gradients_of_the_length_that_is_set(kind):
    made, seen = Weights(kind, clip=0.25), []
    made.optimizer.inner.register_step_pre_hook(
        lambda *_: seen.append(torch.cat([p.grad.flatten() for p in (*list(made.named.values())[:2], made.vector)])))
    made.train(0, factor=100.0)
    assert seen[0].norm().item() == pytest.approx(0.25, rel=1e-4)


def test_the_scale_of_fp16_changes_no_step_and_an_overflow_changes_nothing(kind):
    made, plain = Weights(kind, scaled=True), Weights(kind)
    for one in (made, plain):
        one.train(0, 1, 2)
    assert same(made.values(), plain.values())
    before = numbers(made.optimizer.state_dict()["moments"])
    made.train(3, factor=float("inf"))
    assert same(made.values(), plain.values()) and made.optimizer.skipped == 1
    assert numbers(made.optimizer.state_dict()["moments"]) == before


def test_a_model_in_half_precision_follows_what_is_drawn_and_what_is_trained(kind):
    half = nn.Parameter(torch.linspace(-1, 1, 64 * 64).reshape(64, 64).half().to(DEVICE))
    model = WholeModel([Weight("w", "unet", half)], {"unet": 0.05}, text_share=1.0, ema=0.0)
    optimizer = Optimizer(model.groups(), Training(optimizer=kind.name, steps=STEPS, warmup=0.0), scaled=False)
    for step in range(4):
        optimizer.backward(half.float().square().mean())
        optimizer.step(step)
        model.after_step()
    before = half.detach().clone()
    with optimizer.averaged(model), model.as_saved():
        assert torch.equal(half, model.file_tensors()["w"].half()) and torch.equal(half, before) != kind.averages
    assert torch.equal(half, before)
