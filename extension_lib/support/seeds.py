"""Random numbers that depend on a key alone: what is drawn at a step does not depend on what was drawn before."""

import hashlib
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator


def seed_from(*key: object) -> int:
    """A 63-bit seed from any printable key."""
    return int.from_bytes(hashlib.sha256(repr(key).encode("utf-8")).digest()[:8], "big") >> 1


def generator_for(*key: object) -> "Generator":
    """A CPU generator for this key; CPU, so that every device draws the same numbers."""
    import torch  # the page uses the rest of this file before torch is needed

    return torch.Generator().manual_seed(seed_from(*key))


def random_for(*key: object) -> random.Random:
    return random.Random(seed_from(*key))


@contextmanager
def seeded_torch(*key: object, devices: list | None = None):
    """Within, torch's own generators (dropout uses them) follow the key; afterwards they are as they were.

    devices: the accelerators whose generators are kept too; None for all.
    """
    import torch

    with torch.random.fork_rng(devices):
        torch.manual_seed(seed_from(*key))
        yield
