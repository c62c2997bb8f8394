"""A module's forward, replaced on one instance and put back. Its class stays: hosts compare layer types strictly."""

from collections.abc import Callable
from typing import Any

from torch import nn

Forward = Callable[..., Any]


def own_forward(module: nn.Module) -> Forward | None:
    """The forward of this instance alone; None where its class's is used."""
    return module.__dict__.get("forward")


def set_own_forward(module: nn.Module, forward: Forward | None) -> None:
    """Sets the forward of this instance; None goes back to its class's."""
    if forward is not None:
        module.forward = forward
    else:
        module.__dict__.pop("forward", None)


def wrap_forward(module: nn.Module, wrap: Callable[[Forward], Forward]) -> Callable[[], None]:
    """Replaces this instance's forward by wrap(forward); returns what undoes it.

    The class's forward is looked up at every call, because a host may exchange it while the module is wrapped.
    """
    def forward_of_class(*args: Any, **kwargs: Any) -> Any:
        return type(module).forward(module, *args, **kwargs)

    before = own_forward(module)
    module.forward = wrap(before or forward_of_class)
    return lambda: set_own_forward(module, before)
