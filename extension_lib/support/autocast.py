"""Computing in mixed precision, which torch knows on some devices only."""

from contextlib import AbstractContextManager, nullcontext

import torch


def autocast_supported(device: torch.device) -> bool:
    return not isinstance(autocast_off(device), nullcontext)


def autocast_off(device: torch.device) -> AbstractContextManager:
    """Within, everything is computed in the precision that it has.

    Older versions of torch refuse to build an autocast for Apple's chips and others, even one that is off.
    """
    try:
        return torch.autocast(device.type, enabled=False)
    except RuntimeError:
        return nullcontext()
