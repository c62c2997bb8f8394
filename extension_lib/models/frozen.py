"""A borrowed model does not learn and is given back as it was, which is checked."""

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from ..host import HostError
from ..model import computes_in
from ..support.forward import own_forward, set_own_forward


@dataclass(frozen=True)
class ParameterState:
    parameter: nn.Parameter
    requires_grad: bool
    dtype: torch.dtype
    device: torch.device


@contextmanager
def frozen(*modules: nn.Module) -> Iterator[None]:
    """Within, no weight of the modules is trained and all are in eval mode. Afterwards everything is as it was.

    Raises HostError on leaving when a weight is not bit for bit what it was.
    """
    parameters = parameter_states(modules)
    modes = [(m, m.training) for root in modules for m in root.modules()]
    forwards = [(m, own_forward(m)) for m, _ in modes]
    before = checksum(parameters)
    for state in parameters:
        state.parameter.requires_grad_(False)
    for module in modules:
        module.eval()
    try:
        yield
    finally:
        for state in parameters:
            state.parameter.grad = None
            if state.parameter.device != state.device:
                state.parameter.data = state.parameter.data.to(state.device)
            state.parameter.requires_grad_(state.requires_grad)
        for module, training in modes:
            module.training = training
        for module, forward in forwards:
            set_own_forward(module, forward)
        if any(now not in (was, UNKNOWN) for now, was in zip(checksum(parameters), before)):
            raise HostError("The model's weights changed while Darkroom used it. Reload the checkpoint before you "
                            "continue.")


def parameter_states(modules: Iterable[nn.Module]) -> list[ParameterState]:
    return [ParameterState(p, p.requires_grad, p.dtype, p.device) for m in modules for p in m.parameters()]


@torch.no_grad()
def checksum(parameters: list[ParameterState]) -> list[bytes]:
    """A fingerprint of every weight's bits, in the precision that it was borrowed in.

    The WebUI itself converts a VAE that overflows in half precision to float32, or to bfloat16, which rounds: a rounded
    weight cannot be compared.
    """
    return [
        quick_fingerprint(state.parameter.detach().to(state.dtype)) if is_widened(state) else UNKNOWN
        for state in parameters
    ]


def is_widened(state: ParameterState) -> bool:
    now, before = state.parameter.dtype, state.dtype
    return now == before or computes_in(before) and torch.promote_types(now, before) == now


UNKNOWN = b""  # a weight that cannot be compared
INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
AT_ONCE = 2**20  # values whose bits are widened to 64 at a time: a whole vocabulary would take a gigabyte


def quick_fingerprint(tensor: torch.Tensor) -> bytes:
    """Of the tensor's bits; on the CPU another one than elsewhere, and several times as quick."""
    bits = bits_of(tensor)
    return zlib.crc32(bits.numpy().data).to_bytes(4, "little") if bits.device.type == "cpu" else fingerprint(tensor)


def fingerprint(tensor: torch.Tensor) -> bytes:
    """Sums over the bits, plain and weighted by position, so that swapped or shifted values show; they may wrap."""
    bits = bits_of(tensor)
    sums = torch.zeros(2, dtype=torch.long, device=bits.device)
    for start in range(0, len(bits), AT_ONCE):
        some = bits[start:start + AT_ONCE].long()
        place = torch.arange(start + 1, start + len(some) + 1, device=bits.device)
        sums += torch.stack([some.sum(), (some * place).sum()])
    return sums.cpu().numpy().tobytes()


def bits_of(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().view(-1).view(INTEGERS[tensor.element_size()])
