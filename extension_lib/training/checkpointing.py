"""Gradient checkpointing: the backward pass recomputes activations (Chen et al., 2016, arXiv:1604.06174)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from ..model import Model
from ..support.forward import wrap_forward

Again = Callable[[], AbstractContextManager]


@contextmanager
def gradient_checkpointing(model: Model, enabled: bool, again: Again = nullcontext) -> Iterator[None]:
    """Within, the model's blocks keep only their inputs. again: what they are computed in the second time."""
    with ExitStack() as undo:
        for block in model.blocks() if enabled else []:
            undo.callback(recompute_block(block, again))
        yield


def recompute_block(block: nn.Module, again: Again = nullcontext) -> Callable[[], None]:
    """Returns what undoes it. The re-entrant form gives no gradient to adapters when a block's input needs none."""
    return wrap_forward(block, lambda forward: partial(checkpoint, forward, use_reentrant=False,
                                                       context_fn=lambda: (nullcontext(), again())))
