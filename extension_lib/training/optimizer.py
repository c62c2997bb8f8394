"""The optimiser's step: schedule, accumulation, clipping and, for fp16, loss scaling."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..config.run import Training
from ..methods.base import ParameterGroup

FIRST_SCALE, DOUBLE_AFTER, MIN_SCALE = 2.0**15, 1000, 1.0


def constant(share: float) -> float:
    return 1.0


def linear(share: float) -> float:
    return 1.0 - share


def cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


SCHEDULES: dict[str, Callable[[float], float]] = {"constant": constant, "linear": linear, "cosine": cosine}


def rate_factor(step: int, training: Training) -> float:
    """The factor of all learning rates at a step (counted from 0)."""
    warmup = training.warmup * training.steps
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return SCHEDULES[training.schedule]((step - warmup) / max(1.0, training.steps - warmup))


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


class Optimizer:
    """AdamW over a method's groups. backward() gathers gradients, step() uses them."""

    def __init__(self, groups: list[ParameterGroup], training: Training, scaled: bool):
        self.training = training
        self.adamw = torch.optim.AdamW(
            [{"params": g.parameters, "lr": g.rate, "rate": g.rate, "span": g.span} for g in groups],
            betas=(0.9, 0.999), weight_decay=training.weight_decay)
        self.scaler = LossScaler(scaled)
        self.skipped = self.skipped_in_a_row = 0
        self.changed = False  # whether any step has changed the weights

    @property
    def parameters(self) -> list[Tensor]:
        return [p for group in self.adamw.param_groups for p in group["params"]]

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of one batch. There is none where nothing trained took part, as when no prompt contains the
        new word."""
        if loss.requires_grad:
            (loss * (self.scaler.scale / self.training.accumulation)).backward()

    def step(self, step: int) -> bool:
        """Changes the weights by the sum of the gradients; False when it overflowed and nothing was changed."""
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        for gradient in gradients if self.scaler.scale != 1 else ():
            gradient.div_(self.scaler.scale)
        norm = torch.stack([g.norm() for g in gradients]).norm() if gradients else torch.zeros(())
        finite = bool(norm.isfinite())
        if finite:
            if self.training.clip and norm > self.training.clip:
                for gradient in gradients:
                    gradient.mul_(self.training.clip / norm)
            self.set_rate(step)
            self.adamw.step()
            self.changed = True
        self.skipped += not finite
        self.skipped_in_a_row = 0 if finite else self.skipped_in_a_row + 1
        self.scaler.update(not finite)
        self.clear()
        return finite

    def set_rate(self, step: int) -> None:
        for group in self.adamw.param_groups:
            first, last = group["span"]
            learning = first * self.training.steps <= step < last * self.training.steps
            group["lr"] = group["rate"] * rate_factor(step, self.training) if learning else 0.0

    @property
    def rate(self) -> float:
        """The learning rate of the last step, of the first group that learned."""
        return next((group["lr"] for group in self.adamw.param_groups if group["lr"]), 0.0)

    def clear(self) -> None:
        self.adamw.zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        return {"adamw": self.adamw.state_dict()["state"], "scale": self.scaler.scale, "calm": self.scaler.calm,
                "skipped": self.skipped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores moments and scale; learning rates are those of this run. Raises ValueError when they do not fit."""
        for n, parameter in enumerate(self.parameters):
            moments = state["adamw"].get(n)
            if moments and moments["exp_avg"].shape != parameter.shape:
                raise ValueError(f"its tensor {n} is {tuple(moments['exp_avg'].shape)}, not {tuple(parameter.shape)}")
        self.adamw.load_state_dict({"state": state["adamw"], "param_groups": self.adamw.state_dict()["param_groups"]})
        self.skipped = state["skipped"]
        if self.scaler.enabled and state["scale"] > MIN_SCALE:  # it is 1 after training in full precision
            self.scaler.scale, self.scaler.calm = state["scale"], state["calm"]
