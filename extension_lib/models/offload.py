"""Blocks of a frozen model that wait in the system's memory; a copy of each is on the device while it computes.

The next block is copied while one computes: forward in one order, in the backward pass, where gradient checkpointing
computes the blocks again, in the other. Nothing is written back, because nothing changes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn

from ..support.forward import Forward, wrap_forward

ALIGNED = 256  # bytes between which a weight begins, as torch's own allocators have it


class Block:
    """A module whose weights lie together in the system's memory."""

    def __init__(self, module: nn.Module, device: torch.device):
        self.device, self.parameters = device, list(module.parameters())
        self.places = [parameter.device for parameter in self.parameters]
        *self.starts, total = accumulate((padded(parameter) for parameter in self.parameters), initial=0)
        self.held = system_memory(total, pinned=device.type == "cuda")
        for parameter, own in zip(self.parameters, self.cut(self.held)):
            own.copy_(parameter.detach())
        self.copied: Any = None  # a CUDA event
        self.copy: Tensor | None = None
        self.learns = False  # whether a backward pass computes it again
        self.use(self.held)

    def cut(self, whole: Tensor) -> list[Tensor]:
        """The weights that lie in it."""
        return [whole[start:start + padded(p)].view(p.dtype).as_strided(p.shape, p.stride())
                for start, p in zip(self.starts, self.parameters)]

    def use(self, whole: Tensor) -> None:
        for parameter, own in zip(self.parameters, self.cut(whole)):
            parameter.data = own

    def begin_copy(self, stream: Any) -> None:
        """stream: CUDA's, beside the one that computes."""
        if self.copy is None:
            with torch.cuda.stream(stream):
                self.copy = self.held.to(self.device, non_blocking=True, copy=True)
                self.copied = stream.record_event() if stream else None

    @contextmanager
    def on_device(self) -> Iterator[None]:
        """Within, the module has the copy that was begun. Afterwards only a backward pass may hold it for a while."""
        assert self.copy is not None
        if self.copied:
            computing = torch.cuda.current_stream(self.device)
            computing.wait_event(self.copied)
            self.copy.record_stream(computing)
        self.use(self.copy)
        self.copy = None
        try:
            yield
        finally:
            self.use(self.held)

    def give_back(self) -> None:
        """The weights are where they were."""
        for parameter, own, place in zip(self.parameters, self.cut(self.held), self.places):
            parameter.data = own.to(place, copy=True)


def system_memory(size: int, pinned: bool) -> Tensor:
    """Pinned as far as the system allows that; a copy from other memory is waited for."""
    try:
        return torch.empty(size, dtype=torch.uint8, pin_memory=pinned)
    except RuntimeError:
        return torch.empty(size, dtype=torch.uint8)


def padded(tensor: Tensor) -> int:
    return -(-tensor.numel() * tensor.element_size() // ALIGNED) * ALIGNED


class Offload:
    """Several blocks, of which two at most are on the device: the one that computes and the next."""

    def __init__(self, modules: Sequence[nn.Module], device: torch.device):
        self.blocks = [Block(module, device) for module in modules]
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self.order: list[Block] = []  # in which they compute
        self.last = -1  # where in this order the last one was
        self.undo = [wrap_forward(module, self.wrapped(block)) for module, block in zip(modules, self.blocks)]

    def has(self, tensor: Tensor) -> bool:
        return any(tensor is parameter for block in self.blocks for parameter in block.parameters)

    def wrapped(self, block: Block) -> Callable[[Forward], Forward]:
        def wrap(forward: Forward) -> Forward:
            def computed(*args: Any, **kwargs: Any) -> Any:
                following = self.follow(block)
                block.begin_copy(self.stream)
                with block.on_device():
                    if following:
                        following.begin_copy(self.stream)
                    made = forward(*args, **kwargs)
                block.learns = made.requires_grad
                return made
            return computed
        return wrap

    def follow(self, block: Block) -> Block | None:
        """The block behind this one in the direction in which they compute now, as far as it is known; copies of
        others are given up."""
        if block not in self.order:
            self.order.append(block)
        place = self.order.index(block)
        forward, self.last = place > self.last, place
        behind = place + (1 if forward else -1)
        known = 0 <= behind < len(self.order) and (forward or self.order[behind].learns)
        following = self.order[behind] if known else None
        for other in self.order:
            if other not in (block, following):
                other.copy = None
        return following

    def end(self) -> None:
        for undo in reversed(self.undo):
            undo()
        for block in self.blocks:
            block.give_back()
