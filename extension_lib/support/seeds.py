"""Random numbers that depend on a key alone, not on the random numbers before them."""

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
    import torch  # late: the page uses the rest of this file without torch

    return torch.Generator().manual_seed(seed_from(*key))


def random_for(*key: object) -> random.Random:
    return random.Random(seed_from(*key))


@contextmanager
def seeded_torch(*key: object, devices: list | None = None):
    """Within, torch's own generators, as dropout uses them, are seeded by the key; afterwards they are as before.

    devices: the GPUs whose generators are seeded and restored too; None for all, an empty list for the CPU alone.
    """
    import torch

    seed = torch.default_generator.manual_seed if devices == [] else torch.manual_seed  # the second seeds every GPU
    with torch.random.fork_rng(devices):
        seed(seed_from(*key))
        yield
