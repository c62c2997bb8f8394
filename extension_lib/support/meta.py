"""Computing with shapes alone, on torch's "meta" device, as a device with memory would: what is cast, what is kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from .zeros import KnownZeros

META = torch.device("meta")
# What autocast computes in half precision, and what CUDA's computes in full precision
# (docs.pytorch.org/docs/stable/amp.html), as far as models of pictures use it.
IN_HALF = frozenset({F.linear, torch.conv2d, torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm,
                     torch.baddbmm, torch.addmm, torch.einsum, F.scaled_dot_product_attention})
IN_FULL = frozenset({F.layer_norm, F.group_norm, F.softmax, torch.softmax, Tensor.softmax, torch.norm, Tensor.norm,
                     torch.exp, Tensor.exp, torch.pow, Tensor.pow, torch.rsqrt, Tensor.rsqrt, torch.sum, Tensor.sum,
                     F.mse_loss})
MOVES = frozenset({Tensor.to, Tensor.cpu, Tensor.cuda})


class OnMeta(TorchFunctionMode):
    """Within, tensors on the meta device stay there, attention keeps what its kernels keep rather than a matrix of all
    pairs, and autocast's casts are made, which torch has for real devices only.
    """

    def __init__(self, compute: torch.dtype, device: torch.device):
        """compute: what autocast computes in; device: the one that computes in truth."""
        super().__init__()
        self.device = device
        self.compute_in(compute)
        self.in_full = IN_FULL if device.type == "cuda" else frozenset()
        self.cache: dict[int, Tensor] | None = None
        self.finite = True  # what is said of all values, none of which is known
        self.zeros = KnownZeros()  # but of these

    def compute_in(self, dtype: torch.dtype) -> None:
        self.half = None if dtype == torch.float32 else dtype

    def __torch_function__(self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if function in (Tensor.item, Tensor.__bool__) and args[0].is_meta:
            return self.finite
        if function is Tensor.any and args[0].is_meta:
            return torch.tensor(args[0] not in self.zeros)
        if function is torch.full and isinstance(args[1], Tensor):
            return torch.full(args[0], 0.0, **kwargs)
        if function in MOVES and args[0].is_meta:
            return self.moved(function, *args, **kwargs)
        if self.half and (function in IN_HALF or function in self.in_full):
            cast = self.to_half if function in IN_HALF else self.to_full
            args, kwargs = tuple(map(cast, args)), {name: cast(value) for name, value in kwargs.items()}
        if function is F.scaled_dot_product_attention and args[0].is_meta:
            return Attention.apply(*args[:3])
        return function(*args, **kwargs)

    def moved(self, function: Callable[..., Tensor], tensor: Any, *args: Any, **kwargs: Any) -> Tensor:
        """As moved by this method, but to the meta device. What leaves a graphics card takes no room there."""
        places = [str(value) for value in (*args, *kwargs.values()) if isinstance(value, (str, torch.device))]
        if function is not Tensor.to or "cpu" in places and self.device.type != "cpu":
            return tensor.detach()
        here = [META if isinstance(value, (str, torch.device)) else value for value in args]
        return tensor.to(*here, **{name: META if name == "device" else value for name, value in kwargs.items()})

    def to_half(self, value: Any) -> Any:
        """As autocast does, which keeps what it made of a trained weight."""
        if not (isinstance(value, Tensor) and value.is_meta and value.is_floating_point()) or value.dtype == self.half:
            return value
        if self.cache is None or not (value.requires_grad and value.is_leaf):
            return value.to(self.half)
        if id(value) not in self.cache:
            self.cache[id(value)] = value.to(self.half)
        return self.cache[id(value)]

    def to_full(self, value: Any) -> Any:
        wanted = isinstance(value, Tensor) and value.is_meta and value.dtype == self.half
        return value.float() if wanted else value

    @contextmanager
    def overflowing(self, overflows: bool) -> Iterator[None]:
        """Within, values are finite or not."""
        self.finite = not overflows
        try:
            yield
        finally:
            self.finite = True

    @contextmanager
    def caching(self) -> Iterator[None]:
        """The time of one autocast."""
        self.cache = {}
        try:
            yield
        finally:
            self.cache = None


class Attention(torch.autograd.Function):
    """Attention's shapes: its kernels keep their inputs, the output and a number for each row, and lay the output out
    by tokens.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = q.new_empty(*q.shape[:-3], q.shape[-2], q.shape[-3], v.shape[-1]).transpose(-3, -2)
        rows = q.new_empty(q.shape[:-1], dtype=torch.float32)
        ctx.save_for_backward(q, k, v, out, rows)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        return tuple(torch.empty_like(held) for held in ctx.saved_tensors[:3])
