"""Arithmetic on single layers: attaching a function, applying another weight, norms of its columns."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..support.forward import wrap_forward


def attach_after(module: nn.Module, then: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], None]:
    """Makes then(input, output) the output of this instance's forward. Returns a function that undoes it.

    The class does not change, because hosts compare layer types strictly.
    """
    return wrap_forward(module, lambda forward: lambda x, *args, **kwargs: then(x, forward(x, *args, **kwargs)))


def attach_before(module: nn.Module, first: Callable[[Tensor], Tensor]) -> Callable[[], None]:
    """Passes first(input) to this instance's forward. Returns a function that undoes it. first computes in fp32."""
    def before(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda x, *args, **kwargs: forward(first(x.float()).to(x.dtype), *args, **kwargs)
    return wrap_forward(module, before)


class AttachedToLayers:
    """Functions attached to layers. While silent is True they change nothing; detach removes them."""

    silent = False
    undo_hooks: list[Callable[[], None]]  # one for each attached function

    def after_step(self) -> None:
        """Nothing to do after a step."""

    def as_saved(self) -> AbstractContextManager[None]:
        return nullcontext()

    @contextmanager
    def muted(self) -> Iterator[None]:
        self.silent = True
        try:
            yield
        finally:
            self.silent = False

    def detach(self) -> None:
        for undo in reversed(self.undo_hooks):
            undo()
        self.undo_hooks = []


def apply_weight(layer: Any, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The output that the layer would have with another weight and bias."""
    if isinstance(layer, nn.Conv2d):
        return F.conv2d(x, weight, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
    return F.linear(x, weight, bias)


def channels_last(layer: Any, y: Tensor) -> Tensor:
    """A layer's output or input with its channels as the last dimension."""
    return y.movedim(1, -1) if isinstance(layer, nn.Conv2d) else y


def restore_channels(layer: Any, y: Tensor) -> Tensor:
    return y.movedim(-1, 1) if isinstance(layer, nn.Conv2d) else y


def without_bias(layer: Any, y: Tensor) -> Tensor:
    """The output with its channels last, without the layer's own bias."""
    y = channels_last(layer, y)
    return y if layer.bias is None else y - layer.bias.to(y.dtype)


def drop_channels(layer: Any, y: Tensor, share: float) -> Tensor:
    """Sets a share of the channels of a layer's input or output to zero while training."""
    if not share or not torch.is_grad_enabled():
        return y
    own = channels_last(layer, y)
    return restore_channels(layer, own * (torch.rand(own.shape[-1], device=y.device) >= share).to(y.dtype))


class Dropout(nn.Dropout):
    """Drops only where gradients are computed, so that a preview during training shows all that was learned."""

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.p, training=torch.is_grad_enabled())


def column_norm(weight: Tensor) -> Tensor:
    """(1, in, 1, ...): the norm of what each input feeds, as DoRA's files hold it (Liu et al., 2024,
    arXiv:2402.09353).
    """
    norm = weight.transpose(0, 1).flatten(1).norm(dim=1)
    return norm.view(1, -1, *[1] * (weight.dim() - 2))


def dora_delta(weight: Tensor, delta: Tensor, scale: Tensor) -> Tensor:
    """The delta that gives weight + delta the norms in scale: of its columns, or, as LyCORIS and PEFT have it, of its
    rows.
    """
    merged = weight + delta
    if scale.numel() == len(weight) == len(scale):
        scale = scale.view(-1, *[1] * (weight.dim() - 1))
        return merged * (scale / merged.flatten(1).norm(dim=1).view(scale.shape)) - weight
    return merged * (scale / column_norm(merged)) - weight


@torch.no_grad()
def load_tensors(own: dict[str, Tensor], state: dict[str, Tensor]) -> None:
    """Copies a saved state into live tensors. Raises KeyError or RuntimeError when it does not fit, with nothing
    changed: also where the state holds more, which the next save would lose."""
    if more := state.keys() - own.keys():
        raise RuntimeError(f"{min(more)} was trained and is left out now")
    for name, tensor in own.items():
        if state[name].shape != tensor.shape:
            raise RuntimeError(f"{name} is {tuple(state[name].shape)}, not {tuple(tensor.shape)}")
    for name, tensor in own.items():
        tensor.copy_(state[name])


class ZeroParameters(nn.Module):
    """Parameters that start at zero, by name and shape: all that the simplest kinds need."""

    def __init__(self, **shapes: tuple[int, ...]):
        super().__init__()
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape)))
