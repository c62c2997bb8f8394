"""The optimiser's step, after the backward pass or within it, and its state: accumulation, clipping, spans and, for
fp16, loss scaling.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from ..config.optimizers import OptimizerKind
from ..config.run import Training
from ..methods.base import ParameterGroup, Trainable
from .rounding import RoundedWeight
from .schedules import rate_factor

FIRST_SCALE, DOUBLE_AFTER, MIN_SCALE = 2.0**15, 1000, 1.0


class LossScaler:
    """Scales the loss so that fp16 gradients do not vanish: halved after an overflow, doubled after many steps without.

    Micikevicius et al., 2018, arXiv:1710.03740. torch's own scaler needs CUDA in the versions that hosts pin.
    """

    def __init__(self, enabled: bool):
        self.scale, self.calm, self.enabled = (FIRST_SCALE if enabled else 1.0), 0, enabled

    def update(self, overflowed: bool) -> None:
        if not self.enabled:
            return
        self.calm = 0 if overflowed else self.calm + 1
        if overflowed:
            self.scale = max(MIN_SCALE, self.scale / 2)
        elif self.calm % DOUBLE_AFTER == 0:
            self.scale *= 2


def make(kind: OptimizerKind, groups: list[dict[str, Any]], training: Training) -> Any:
    """A torch.optim.Optimizer; each group has a rate of its own."""
    maker = getattr(import_module(kind.module), kind.made_by.partition(":")[2])
    return maker(groups, lr=1.0, **kind.called_with(training.betas, training.epsilon))


def shorten(gradients: Sequence[Tensor], longest: float) -> bool:
    """Shortens gradients that are longer than this together, unless it is 0. False when they are not finite."""
    norms = [gradient.norm().float() for gradient in gradients]
    norm = torch.stack(norms).norm().item() if norms else 0.0
    if longest and longest < norm < math.inf:
        for gradient in gradients:
            gradient.mul_(longest / norm)
    return math.isfinite(norm)


class Optimizer:
    """An optimiser over a method's groups. Within during(), backward() gathers gradients; step() uses them.

    A group outside its span takes no part in a step: neither it nor what is remembered of it changes. Where weights are
    updated during the backward pass (as in LOMO, Lv et al., 2023, arXiv:2306.09782), no more than one gradient is held.
    """

    def __init__(self, groups: list[ParameterGroup], training: Training, scaled: bool):
        assert not (scaled and training.in_backward)  # runs/preflight.py refuses it
        self.kind = training.optimizer_kind
        self.training = replace(training, schedule="constant") if self.kind.averages else training
        self.parameters: list[nn.Parameter] = [p for g in groups for p in g.parameters]
        self.rounded = {p: RoundedWeight(p, name) for g in groups for p, name in zip(g.parameters, g.names)
                        if p.dtype == torch.bfloat16}
        self.inner = make(self.kind, [{"params": [self.seen(p) for p in g.parameters], "rate": g.rate, "span": g.span,
                                       "part": 1.0, "weight_decay": training.weight_decay} for g in groups], training)
        self.group_of = {p: n for n, g in enumerate(groups) for p in g.parameters}
        if self.kind.averages:
            self.inner.train()
        self.scaler = LossScaler(scaled)
        self.skipped = self.skipped_in_a_row = 0
        self.skipped_weights = self.moved_weights = 0  # in the last backward pass, where weights are updated in it
        self.changed = False  # whether any step has changed the weights

    def seen(self, weight: nn.Parameter) -> nn.Parameter:
        """What the inner optimiser knows in place of a weight."""
        return self.rounded[weight].seen if weight in self.rounded else weight

    @property
    def groups(self) -> list[dict[str, Any]]:
        return self.inner.param_groups

    @property
    def size_of_state(self) -> int:
        """Bytes, about: each number in fp32, and what is remembered of it."""
        return int(sum(parameter.numel() for parameter in self.parameters) * (4 + self.kind.state))

    @contextmanager
    def during(self, step: int) -> Iterator[None]:
        """A context for the backward passes of a step."""
        self.set_rates(step)
        self.skipped_weights = self.moved_weights = 0
        hooks = [weight.register_post_accumulate_grad_hook(partial(self.update_at_once, step))
                 for weight in self.parameters if self.training.in_backward]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of one batch. There is none where nothing trained took part, as when no prompt contains the
        new word."""
        if loss.requires_grad:
            (loss * (self.scaler.scale / self.training.accumulation)).backward()

    def update_at_once(self, step: int, weight: Any) -> None:
        """Moves a weight whose gradient is complete, and lets go of the gradient."""
        group = self.groups[self.group_of[weight]]
        if group["lr"] and weight.grad is not None:
            finite = shorten([weight.grad], self.training.clip)
            self.skipped_weights += not finite
            self.moved_weights += finite
            if finite:
                self.move_one(group, weight, step)
        weight.grad = None

    def step(self, step: int) -> bool:
        """Changes the weights by the sum of the gradients; False when it overflowed and nothing was changed."""
        learning = self.set_rates(step)
        if self.training.in_backward:
            finite = bool(self.moved_weights) or not self.skipped_weights
        else:
            finite = self.update(learning, step)
        self.changed |= finite
        self.skipped += not finite
        self.skipped_in_a_row = 0 if finite else self.skipped_in_a_row + 1
        self.scaler.update(not finite)
        self.clear()
        return finite

    def update(self, learning: list[dict[str, Any]], step: int) -> bool:
        """False when the gradients are not finite."""
        weights = [p for p in self.parameters if self.groups[self.group_of[p]]["lr"] and p.grad is not None]
        if not shorten([self.unscaled(weight) for weight in weights], self.training.clip):
            return False
        if self.rounded:  # one by one, so that no more than one is in fp32
            for weight in weights:
                self.move_one(self.groups[self.group_of[weight]], weight, step)
        elif weights:
            self.move(learning)
        return True

    def unscaled(self, weight: Any) -> Tensor:
        """Its gradient, from now on without the loss' scale."""
        gradient: Tensor = weight.grad
        return gradient if self.scaler.scale == 1 else gradient.div_(self.scaler.scale)

    @torch.no_grad()
    def move_one(self, group: dict[str, Any], weight: nn.Parameter, step: int) -> None:
        rounded = self.rounded.get(weight)
        with rounded.in_fp32(self.training.seed, step) if rounded else nullcontext():
            self.move([{**group, "params": [self.seen(weight)]}])

    def set_rates(self, step: int) -> list[dict[str, Any]]:
        """The groups that learn in this step, with their rates."""
        factor = rate_factor(step, self.training)
        for group in self.groups:
            first, last = group["span"]
            learns = first * self.training.steps <= step < last * self.training.steps
            group["lr"] = group["rate"] * factor if learns else 0.0
        learning = [group for group in self.groups if group["lr"]]
        for group in learning if self.kind.finds_rate else ():
            group["lr"], group["part"] = factor, group["rate"] / max(other["rate"] for other in learning)
        return learning

    @torch.no_grad()
    def move(self, learning: list[dict[str, Any]]) -> None:
        """Where one rate is found for all groups, those with lower ones go a part of the way."""
        before = [(group["part"], p, p.clone()) for group in learning if group["part"] != 1 for p in group["params"]]
        everything, self.inner.param_groups = self.groups, learning
        try:
            self.inner.step()
        finally:
            self.inner.param_groups = everything
        for part, parameter, old in before:
            parameter.copy_(old.lerp(parameter, part))

    @property
    def rate(self) -> float:
        """The learning rate of the last step, of the first group that learned."""
        return next((group["lr"] * group["part"] * group.get("d", 1.0) for group in self.groups if group["lr"]), 0.0)

    def clear(self) -> None:
        for weight in self.parameters:
            weight.grad = None

    @contextmanager
    def averaged(self, trainable: Trainable) -> Iterator[None]:
        """A context in which what is trained is as it will be used: where the optimiser averages, the average. Do not
        train in it. What it was comes back bit for bit, so that looking at it changes nothing."""
        if not self.kind.averages:
            yield
            return
        held = {name: tensor.detach().to("cpu", copy=True) for name, tensor in trainable.state_dict().items()}
        self.inner.eval()
        trainable.load_state_dict(trainable.state_dict())  # half-precision copies follow
        try:
            yield
        finally:
            self.inner.train()
            trainable.load_state_dict(held)

    # ---- its state

    def state_dict(self) -> dict[str, Any]:
        remembered = self.inner.state
        return {
            "name": self.kind.name,
            "shapes": {n: list(p.shape) for n, p in enumerate(self.parameters)},
            "moments": {n: dict(remembered[p]) for n, p in enumerate(map(self.seen, self.parameters))
                        if p in remembered},
            "groups": {n: {name: group[name] for name in self.kind.numbers} for n, group in enumerate(self.groups)},
            "scale": self.scaler.scale, "calm": self.scaler.calm, "skipped": self.skipped
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores what was remembered, and the scale; learning rates are those of this run. Another optimiser begins
        anew. Raises ValueError when it does not fit."""
        state = state if "moments" in state else from_older(state)
        for n, parameter in enumerate(self.parameters):
            shape = tuple(state["shapes"].get(n, parameter.shape))
            if shape != parameter.shape:
                raise ValueError(f"its tensor {n} is {shape}, not {tuple(parameter.shape)}")
        if state["name"] == self.kind.name:
            groups = self.inner.state_dict()["param_groups"]
            self.inner.load_state_dict({"state": state["moments"], "param_groups": [
                {**group, **state["groups"].get(n, {})} for n, group in enumerate(groups)]})
            if self.kind.needs_cuda:
                page_again(self.inner)
        self.skipped = state["skipped"]
        if self.scaler.enabled and state["scale"] > MIN_SCALE:  # it is 1 after training in full precision
            self.scaler.scale, self.scaler.calm = state["scale"], state["calm"]


def from_older(state: dict[str, Any]) -> dict[str, Any]:
    """A state of an older version, which knew AdamW alone, in today's form."""
    shapes = {n: list(moments["exp_avg"].shape) for n, moments in state["adamw"].items() if moments}
    return {**state, "name": "AdamW", "shapes": shapes, "moments": state["adamw"], "groups": {}}


def page_again(inner: Any) -> None:
    """bitsandbytes loads paged tensors as plain ones."""
    for parameter, remembered in inner.state.items():
        for name in ("state1", "state2"):
            buffer = inner.get_state_buffer(parameter, dtype=remembered[name].dtype)
            remembered[name] = buffer.copy_(remembered[name])
