"""What is trained in bf16, and rounded stochastically (training/rounding.py)."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..model import Model, Weight
from ..settings import SettingError, option

bf16_option = option(False, "Hold what is trained in bf16 and round each change up or down by chance, so that small "
                     "ones add up. Saves a third to two thirds of the memory for it, and learns about as well. The "
                     "graphics card must compute in bf16, as NVIDIA's do since the RTX 30.",
                     label="Train in bf16 with stochastic rounding", advanced=True)


def has_bf16(device: torch.device) -> bool:
    """Whether it computes in bf16; torch's own answer counts cards that only imitate it."""
    return device.type != "cuda" or torch.cuda.get_device_capability(device) >= (8, 0)


def require_bf16(device: torch.device) -> None:
    """Raises SettingError where a graphics card cannot compute in bf16."""
    if not has_bf16(device):
        raise SettingError("This graphics card cannot compute in bf16. Switch 'Train in bf16 with stochastic rounding' "
                           "off.")


def to_bf16(parameters: Iterable[nn.Parameter]) -> None:
    """Matrices become bf16, and vectors, which take little, fp32."""
    for parameter in parameters:
        parameter.data = parameter.detach().to(torch.bfloat16 if parameter.dim() > 1 else torch.float32)


class InBf16:
    """A model whose weights are in bf16 while they are trained, and which computes in it. leave() ends it."""

    def __init__(self, model: Model, weights: list[Weight]):
        self.model, self.weights, self.compute = model, weights, model.compute
        self.dtypes = {w.name: w.parameter.dtype for w in weights}
        model.compute = torch.bfloat16
        to_bf16(w.parameter for w in weights)

    def leave(self) -> None:
        """The precisions are as before; the values still are those that were trained."""
        self.model.compute = self.compute
        self.show({w.name: w.parameter for w in self.weights})

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
            w.parameter.data = values[w.name].detach().to(w.parameter.device, self.dtypes[w.name])
