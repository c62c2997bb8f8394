"""Where the training of a workspace stands: the state of its last save, and a newer one without files for the prompt.

Each is one file that appears whole, so that there is a whole state at every moment. The newest is the one with the
highest number.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATE, KEPT = "state.safetensors", "kept.safetensors"  # of the last save; of the last autosave or pause
LONGEST_HEADER = 2**27  # bytes


@dataclass(frozen=True)
class Standing:
    """A saved state, read without its tensors."""

    path: Path
    facts: Mapping[str, Any]  # the values at the top of its tree

    @property
    def number(self) -> int:
        """Higher than that of every state written before; 0 for states of older versions."""
        return int(self.facts.get("number", 0))

    @property
    def step(self) -> int:
        """Of its schedule."""
        return int(self.facts["step"])

    @property
    def lifetime(self) -> int:
        """Steps since the workspace was created or last started over."""
        return int(self.facts["lifetime"])


def read_standing(path: Path) -> Standing | None:
    """None for a file that is missing or is no state."""
    try:
        with open(path, "rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(length)) if length < LONGEST_HEADER else {}
        tree = json.loads(header["__metadata__"]["tree"])
        standing = Standing(path, {key: node["value"] for key, node in tree["pairs"] if "value" in node})
        _ = standing.number, standing.step, standing.lifetime
    except (OSError, ValueError, TypeError, KeyError, struct.error, RecursionError):
        return None
    return standing


def newest_states(folder: Path) -> list[Standing]:
    """The whole states in the folder, the newest first."""
    states = [state for name in (STATE, KEPT) if (state := read_standing(folder / name))]
    return sorted(states, key=lambda state: -state.number)


def next_number(folder: Path) -> int:
    return max((state.number for state in newest_states(folder)), default=0) + 1


def promote_newest(folder: Path) -> None:
    """Makes the newest state the one that a discard comes back to. Raises OSError."""
    newest = next(iter(newest_states(folder)), None)
    if newest and newest.path.name == KEPT:
        newest.path.replace(folder / STATE)
