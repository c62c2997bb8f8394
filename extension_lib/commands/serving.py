"""The command that serves the pages."""

import argparse
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings import SettingError
from ..support.disk import is_folder
from . import studio
from .studio import say

if TYPE_CHECKING:
    from ..ui.door import Login


def app(given: argparse.Namespace, rest: list[str]) -> int:
    """Serve the pages on this machine."""
    from ..runs.leaving import leave_at_end
    from ..ui.app import serve

    leave_at_end()
    if not 1 <= given.port <= 65535:
        raise SettingError(f"--port is {given.port}, but must be 1 to 65535.")
    here = studio.host()
    if given.listen or given.folder:
        here.folders = replace(here.folders, named=tuple(existing_folder(folder) for folder in given.folder))
    serve(here, given.port, given.listen, login(given), frozenset(given.name))
    return 0


def existing_folder(path: Path) -> Path:
    if not is_folder(path):
        raise SettingError(f"There is no folder {path}. Name one with --folder that the page may read.")
    return path.absolute()


def login(given: argparse.Namespace) -> "Login | None":
    """What is asked of those who come in: always something where other machines may. Raises SettingError."""
    from ..ui.door import SHORTEST, Login

    if given.auth is None and not given.listen:
        return None
    if given.auth is None:
        made = Login("darkroom", secrets.token_urlsafe(12))
        say(f"Log in as {made.user} with the password {made.password}")
        return made
    user, colon, password = given.auth.partition(":")
    if not user or len(password) < SHORTEST:
        raise SettingError(f"--auth must be USER:PASSWORD, with a password of {SHORTEST} or more letters.")
    return Login(user, password)
