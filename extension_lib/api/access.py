"""Who may use the API: those with a login where there is one, and no other site's page."""

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from fastapi import Request

from .answers import NotAllowed


def guard(logins: Mapping[str, str]) -> Callable[[Request], None]:
    """What is asked before anything else. logins: passwords by user; none where the server itself asks, or nobody."""
    def ask(request: Request) -> None:
        """Raises NotAllowed."""
        origin = request.headers.get("origin")
        if origin and netloc_of(origin) != request.headers.get("host", ""):
            raise NotAllowed("Requests of other sites are refused.")
        if logins and not fits(request.headers.get("authorization", ""), logins):
            raise NotAllowed("The user and the password are those that the program was started with.", 401)

    return ask


def netloc_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def fits(header: str, logins: Mapping[str, str]) -> bool:
    """Whether this is the Authorization of someone who knows a password."""
    kind, _, held = header.partition(" ")
    try:
        given = base64.b64decode(held, validate=True)
    except (binascii.Error, ValueError):
        return False
    known = [secrets.compare_digest(given, f"{user}:{password}".encode()) for user, password in logins.items()]
    return kind.lower() == "basic" and any(known)
