"""The kinds of problems that the doctor finds, those that matter most first."""

from dataclasses import dataclass
from pathlib import Path

KINDS = {  # in the order in which they matter
    "no-captions": "No captions at all", "unreadable": "Cannot be read", "left-out": "Left out", "tiny": "Too small",
    "blurred": "Blurred", "duplicate": "Nearly the same picture twice", "shape": "Very long or very wide",
    "missing-caption": "Without a caption", "encoding": "Caption not in UTF-8",
    "same-caption": "The same caption twice", "trigger-absent": "Without the trigger word",
    "trigger-known": "No rare trigger word"}
# said again when training starts
SERIOUS = ("no-captions", "unreadable", "left-out", "tiny", "missing-caption", "encoding", "trigger-absent",
           "trigger-known")


@dataclass(frozen=True)
class Problem:
    """What is wrong, with which picture (None: with the concept), and a sentence that says it and what to do."""

    kind: str  # a key of KINDS
    path: Path | None
    text: str
    beside: Path | None = None  # the other picture, where there are two
