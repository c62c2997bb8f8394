"""Who may come in: requests to the page by a name of its own, from itself, and with the password where there is one."""

import base64
import binascii
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN = "/startup-events"  # the end of the address at which Gradio asks itself whether it runs; it tells nothing
SHORTEST = 8  # letters of a password


@dataclass(frozen=True)
class Login:
    user: str
    password: str

    def fits(self, header: str) -> bool:
        """Whether this is the Authorization of a browser that knows the password."""
        kind, _, held = header.partition(" ")
        try:
            given = base64.b64decode(held, validate=True)
        except (binascii.Error, ValueError):
            return False
        wanted = f"{self.user}:{self.password}".encode()
        return kind.lower() == "basic" and secrets.compare_digest(given, wanted)


class Door:
    """Around the whole server, so that no address of it is forgotten.

    Another site's page that a visitor has open can send requests here in two ways: under a name of its own that leads
    here (so the Host header is looked at), and across sites (so the Origin header is).
    """

    def __init__(self, app: ASGIApp, names: frozenset[str] = frozenset(), login: Login | None = None):
        """names: those of the page beside this machine's own."""
        self.app, self.login = app, login
        self.names = frozenset({"localhost", socket.gethostname().lower(), *(name.lower() for name in names)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self.refusal(scope, Headers(scope=scope)) if scope["type"] in ("http", "websocket") else None
        await (refused or self.app)(scope, receive, send)

    def refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        """What is answered instead of the page; None for those who may come in."""
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self.is_own(host):
            return PlainTextResponse("This page has another name. Start the app with --name for this one.", 421)
        if origin and urlsplit(origin).netloc != host and name_in(origin) not in self.names:
            return PlainTextResponse("Requests of other sites are refused.", 403)
        if self.login and not scope["path"].endswith(OPEN) and not self.login.fits(headers.get("authorization", "")):
            asks = {"WWW-Authenticate": 'Basic realm="Darkroom", charset="UTF-8"'}
            return PlainTextResponse("The user and the password are those that the app was started with.", 401, asks)
        return None

    def is_own(self, host: str) -> bool:
        """An address is nobody's name, so that no other site can lead here with it."""
        name = name_in(f"//{host}")
        return name.removesuffix(".local") in self.names or name in self.names or is_address(name)


def name_in(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
