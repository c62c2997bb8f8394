"""Mixed precision, which torch supports on some devices only."""

from contextlib import AbstractContextManager, nullcontext

import torch


def autocast_supported(device: torch.device) -> bool:
    return not isinstance(autocast_off(device), nullcontext)


def autocast_off(device: torch.device) -> AbstractContextManager:
    """Within, nothing is cast: everything is computed in its own precision.

    Older versions of torch raise for an autocast on Apple's chips and others, even for one that is off.
    """
    try:
        return torch.autocast(device.type, enabled=False)
    except RuntimeError:
        return nullcontext()
