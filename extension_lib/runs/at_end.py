"""What the owner of the machine wants done when a run has ended: a command, a web hook; set in a file alone."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from ..settings import LINES, SettingError, build, option
from ..support import toml
from ..training.guard import Guard

FILE = "at_end.toml"  # in the folder of workspaces; no page and no request writes it
PATIENCE = 10.0  # seconds for the web hook
SCHEMES = "http://", "https://"


@dataclass(frozen=True)
class AtEnd:
    """What is done at the end of each run."""

    command: LINES = option((), "A program and its arguments. The variables DARKROOM_NAME, DARKROOM_STATE, "
                            "DARKROOM_WHY and DARKROOM_STEP say what has ended.")
    webhook: str = option("", "An address to which the same is sent as JSON.")


def tell(folder: Path, said: Mapping[str, Any]) -> None:
    """Does what the file in this folder says. What fails is logged, and nothing else happens."""
    if not (folder / FILE).exists():
        return
    with Guard(f"What {FILE} says"):
        wishes = build(AtEnd, toml.read_toml(folder / FILE), FILE)
        if wishes.command:
            start(wishes.command, said)
        if wishes.webhook:
            send(wishes.webhook, said)


def start(command: tuple[str, ...], said: Mapping[str, Any]) -> None:
    """Starts the command, without a shell, and does not wait for it. Raises OSError."""
    variables = {f"DARKROOM_{name.upper()}": str(value).replace("\0", "") for name, value in said.items()}
    subprocess.Popen(command, env={**os.environ, **variables}, stdin=subprocess.DEVNULL)


def send(address: str, said: Mapping[str, Any]) -> None:
    """Raises SettingError, OSError."""
    if not address.startswith(SCHEMES):
        raise SettingError(f"webhook must begin with {' or '.join(SCHEMES)}.")
    body = json.dumps(dict(said)).encode("ascii")
    with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=PATIENCE):
        pass
