"""Gradient checkpointing: blocks recompute their inner results in the backward pass (Chen et al., 2016, arXiv:1604.06174)."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from ..model import Model


@contextmanager
def gradient_checkpointing(model: Model, enabled: bool) -> Iterator[None]:
    """Within, the model's blocks keep only their inputs."""
    with ExitStack() as stack:
        for block in model.blocks() if enabled else []:
            stack.enter_context(recomputed_block(block))
        yield


@contextmanager
def recomputed_block(block: nn.Module) -> Iterator[None]:
    before = block.__dict__.get("forward")
    # The re-entrant form gives no gradient to adapters when a block's input needs none.
    block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    try:
        yield
    finally:
        if before is None:
            del block.forward
        else:
            block.forward = before
