"""A model whose weights are in bf16 while they are trained, rounded stochastically (training/rounding.py)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from ..model import Model, Weight
from ..settings import SettingError, option

bf16_option = option(False, "Hold what is trained in bf16 and round each change up or down by chance, so that small "
                     "ones add up. Saves a third to two thirds of the memory for it, and learns about as well. The "
                     "graphics card must compute in bf16, as NVIDIA's do since the RTX 30.",
                     label="Train in bf16 with stochastic rounding", advanced=True)


def require_bf16(device: torch.device) -> None:
    """Raises SettingError where a graphics card cannot compute in bf16."""
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        raise SettingError("This graphics card cannot compute in bf16. Switch 'Train in bf16 with stochastic rounding' "
                           "off.")


class InBf16:
    """Matrices in bf16 and vectors, which take little, in fp32; the model computes in bf16. leave() ends it."""

    def __init__(self, model: Model, weights: list[Weight]):
        self.model, self.weights, self.compute = model, weights, model.compute
        self.dtypes = {w.name: w.parameter.dtype for w in weights}
        model.compute = torch.bfloat16
        for w in weights:
            w.parameter.data = w.parameter.detach().to(torch.bfloat16 if w.parameter.dim() > 1 else torch.float32)

    def leave(self, backup: Mapping[str, Tensor]) -> None:
        """With the weights that were there before."""
        self.model.compute = self.compute
        for w in self.weights:
            w.parameter.data = backup[w.name].to(w.parameter.device, copy=True)

    @contextmanager
    def as_before(self, values: Mapping[str, Tensor]) -> Iterator[None]:
        """Within, the model has these values in its own precision. What is trained waits in the main memory."""
        waiting = {w.name: w.parameter.detach().to("cpu") for w in self.weights}
        self.model.compute = self.compute
        try:
            self.show(values)
            yield
        finally:
            self.model.compute = torch.bfloat16
            for w in self.weights:
                w.parameter.data = waiting[w.name].to(w.parameter.device)

    def show(self, values: Mapping[str, Tensor]) -> None:
        for w in self.weights:
            w.parameter.data = values[w.name].to(w.parameter.device, self.dtypes[w.name])
