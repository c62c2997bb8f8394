"""DreamBooth: the whole UNet, and for a while the text encoder, learn the subject (Ruiz et al., 2023,
arXiv:2208.12242).
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..model import Model, Weight, computes_in
from ..settings import SettingError, option, option_like
from ..support.lazy import LazyTensors
from .adapter import AdapterSettings
from .base import Method, NewWord, ParameterGroup, Trainable, text_rates
from .in_bf16 import InBf16, bf16_option, require_bf16
from .layer import load_tensors
from .product import CHECKPOINT, Product


@dataclass(frozen=True)
class Dreambooth(Method):
    """Trains the whole checkpoint and saves a new one: 2 GB, of Stable Diffusion XL 7 GB. The strongest method for
    a person or thing, and the easiest to overfit: use class pictures, so that it does not forget what others of the
    same kind look like."""

    name: ClassVar[str] = "dreambooth"
    title: ClassVar[str] = "DreamBooth"
    order: ClassVar[int] = 12
    for_beginners: ClassVar[bool] = True
    product: ClassVar[Product] = CHECKPOINT
    trains_model: ClassVar[bool] = True
    precisions: ClassVar[tuple[str, ...]] = ("fp16", "bf16", "fp32")
    prefers: ClassVar[dict[str, dict[str, Any]]] = {
        "training": {"schedule": "constant", "batch_size": 1}, "prior": {"preserve": True}}

    unet_rate: float = option(2e-6, "Learning rate of the UNet, the part that draws.", min=0.0, max=1.0,
                              label="Learning "
                              "rate, UNet", small=True)
    text_rate: float = option(1e-6, "Learning rate of the text encoder; 0 does not train it.", min=0.0, max=1.0,
                              label="Learning rate, text encoder", small=True)
    text_rate_2: float = option_like(AdapterSettings, "text_rate_2")
    text_share: float = option(0.7, "Share of the steps in which the text encoder is trained too. A smaller share "
                               "keeps more of what it knows.",
                               min=0.0, max=1.0, label="Text encoder learns for")
    ema: float = option(0.0, "Save a running average of the weights instead of the last weights. 0.99 to 0.9999 is "
                        "usual, 0 is off. Needs memory for one more copy of the weights.",
                        min=0.0, max=0.99999, label="EMA decay", advanced=True)
    bf16: bool = bf16_option

    @property
    def rounded(self) -> bool:
        return self.bf16

    computes_in_bf16 = rounded

    @property
    def averages(self) -> bool:
        return self.ema > 0

    @property
    def rates(self) -> dict[str, float]:
        text = text_rates(self.text_rate, self.text_rate_2) if self.text_share else text_rates(0.0, 0.0)
        return {"unet": self.unet_rate, **text}

    def attach(self, model: Model, seed: int, words: tuple[NewWord, ...] = ()) -> Trainable:
        weights = [w for w in model.weights() if self.rates[w.part] > 0]
        if not weights:
            raise SettingError(
                "Nothing is trained: all learning rates are 0. Set that of the UNet or the text encoder.")
        if not all(computes_in(w.parameter.dtype) for w in weights):
            raise SettingError("The WebUI keeps its weights in FP8, which is too coarse to train them whole. Set 'FP8 "
                               "weight' to Disable in Settings, Optimizations, or choose LoRA.")
        if self.bf16:
            require_bf16(model.device)
        for part in {"unet" if w.part == "unet" else "te" for w in weights}:
            model.fetch(part)
        return WholeModel(weights, self.rates, self.text_share, self.ema, model if self.bf16 else None)


AVERAGE, AVERAGED = "average ", "averaged"  # in a state: before the name of a weight; how many steps are in it


class WholeModel:
    """A trainable: the model's own parameters, or their fp32 masters where it is in half precision; given back bit
    for bit. rounding: the model whose parameters are to be in bf16 instead.
    """

    def __init__(self, weights: list[Weight], rates: dict[str, float], text_share: float, ema: float,
                 rounding: Model | None = None):
        self.weights, self.rates, self.text_share, self.decay = weights, rates, text_share, ema
        self.parts = frozenset(w.part for w in weights)
        self.backup = {w.name: w.parameter.detach().to("cpu", copy=True) for w in weights}
        self.average = {w.name: w.parameter.detach().to(torch.float32, copy=True) for w in weights} if ema else {}
        self.masters = {w.name: w.parameter if rounding else fp32_master(w.parameter) for w in weights}
        self.averaged_steps = torch.zeros(())  # steps in the average
        for w in weights:  # only now: if memory ran out above, the model is unchanged
            w.parameter.requires_grad_(True)
        self.in_bf16 = InBf16(rounding, weights) if rounding else None
        self.hooks = [pass_gradients_on(w.parameter, self.masters[w.name]) for w in self.half_precision_weights()]

    def half_precision_weights(self) -> list[Weight]:
        """The weights in half precision: those that have a master."""
        return [w for w in self.weights if w.parameter is not self.masters[w.name]]

    def groups(self) -> list[ParameterGroup]:
        by_part: dict[str, dict[str, nn.Parameter]] = {}
        for w in self.weights:
            by_part.setdefault(w.part, {})[w.name] = self.masters[w.name]
        return [ParameterGroup(part, self.rates[part], list(named.values()),
                               (0.0, 1.0 if part == "unet" else self.text_share), tuple(named))
                for part, named in by_part.items()]

    @torch.no_grad()
    def after_step(self) -> None:
        self.copy_masters_to_model()
        n = float(self.averaged_steps)
        # else a short run would save little but the base that it began with
        decay = min(self.decay, (1 + n) / (10 + n))
        for name, value in self.average.items():
            value.lerp_(self.masters[name].float(), 1 - decay)
        self.averaged_steps += 1

    def state_dict(self) -> dict[str, Tensor]:
        averages = {AVERAGE + name: value for name, value in self.average.items()}
        return {**self.masters, **averages, **({AVERAGED: self.averaged_steps} if averages else {})}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """If only one of the two has an average, it starts from the weights or is discarded."""
        learned = {name: value for name, value in state.items() if not name.startswith(AVERAGE) and name != AVERAGED}
        averages = {AVERAGE + name: state.get(AVERAGE + name, value) for name, value in learned.items()}
        counted = {AVERAGED: state.get(AVERAGED, torch.zeros(()))}
        load_tensors(self.state_dict(), {**learned, **averages, **counted} if self.average else learned)
        self.copy_masters_to_model()

    @torch.no_grad()
    def copy_masters_to_model(self) -> None:
        """Copies the masters to the parameters in half precision."""
        for w in self.half_precision_weights():
            w.parameter.copy_(self.masters[w.name])

    def file_tensors(self) -> Mapping[str, Tensor]:
        """By the names of the checkpoint's file."""
        return LazyTensors({name: self.average.get(name, value).detach().float for name, value in self.masters.items()})

    def deltas(self) -> dict[str, Tensor]:
        return {}

    @contextmanager
    def as_saved(self) -> Iterator[None]:
        """With an average, the model uses it instead of the last weights. This needs no extra memory."""
        with self.in_bf16.as_before({**self.masters, **self.average}) if self.in_bf16 else self.with_average():
            yield

    @contextmanager
    def with_average(self) -> Iterator[None]:
        self.swap_average()
        try:
            yield
        finally:
            self.swap_average()
            self.copy_masters_to_model()

    @torch.no_grad()
    def swap_average(self) -> None:
        """Swaps the average into the model. Without a master, self.average holds the weights until the next swap."""
        for w in self.weights if self.average else ():
            if w.parameter is self.masters[w.name]:
                w.parameter.data, self.average[w.name] = self.average[w.name], w.parameter.data
            else:
                w.parameter.copy_(self.average[w.name])

    def muted(self) -> AbstractContextManager[None]:
        raise SettingError("prior.penalty is for methods that add to the model, and DreamBooth changes the model "
                           "itself. Set it to 0 and use class pictures.")

    @torch.no_grad()
    def detach(self) -> None:
        for hook in self.hooks:
            hook.remove()
        if self.in_bf16:
            self.in_bf16.leave()
        for w in self.weights:
            w.parameter.copy_(self.backup[w.name])
            w.parameter.grad = None
            w.parameter.requires_grad_(False)


def fp32_master(parameter: nn.Parameter) -> nn.Parameter:
    """The parameter itself when it is fp32; else a copy of it."""
    return parameter if parameter.dtype == torch.float32 else nn.Parameter(parameter.detach().float())


def pass_gradients_on(parameter: nn.Parameter, master: nn.Parameter) -> Any:
    """Lets a parameter in half precision hand its gradients to its master; returns what can be removed."""
    def hand_over(half: Tensor) -> None:
        grad, half.grad = half.grad, None
        if grad is not None:
            master.backward(grad.float())  # also calls the master's own hooks
    return parameter.register_post_accumulate_grad_hook(hand_over)
