"""Answers of the API: JSON that any browser can read, and for what cannot be done one sentence with its status."""

import json
import math
import re
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from ..config.run import all_sections
from ..errors import DarkroomError
from ..host import HostError
from ..overnight.queue import NoRun, QueueError
from ..runs.job import Busy
from ..runs.start import Undecided
from ..settings import SettingError, options
from ..support.disk import SaveError
from ..support.json_text import parse_json
from ..support.locks import Locked

LARGEST = 4 * 2**20  # bytes of a request
NAMED = re.compile(r"\b([a-z]+)\.([a-z_]+)\b")


class Missing(DarkroomError, LookupError):
    """There is nothing of this name."""


class NotAllowed(DarkroomError, PermissionError):
    """Whoever asks may not."""

    def __init__(self, message: str, status: int = 403):
        self.status = status
        super().__init__(message)


# By kind of error, its status; the first that fits.
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (Missing, 404), (NoRun, 404), (Undecided, 409), (Busy, 409), (Locked, 409), (QueueError, 409), (SettingError, 422),
    (HostError, 409), (SaveError, 507), (DarkroomError, 422))


class Json(Response):
    """A value as JSON: what no JSON can hold is null, and other than ASCII is written in it as \\u."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return json.dumps(plain(content), allow_nan=False).encode("ascii")


def plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def answer_to(error: DarkroomError) -> Json:
    status = error.status if isinstance(error, NotAllowed) else next(
        status for kind, status in STATUSES if isinstance(error, kind))
    said: dict[str, Any] = {"error": str(error), "setting": setting_in(str(error))}
    if isinstance(error, Undecided):
        said["start"] = [{"id": choice.id, "text": choice.text} for choice in error.choices]
    headers = {"WWW-Authenticate": 'Basic realm="Darkroom", charset="UTF-8"'} if status == 401 else None
    return Json(said, status, headers)


def setting_in(sentence: str) -> str:
    """The setting that an error names first, as training.steps; "" for none."""
    known: dict[str, set[str]] = {name.split(" ")[0]: set() for name in all_sections()}
    for name, section in all_sections().items():
        known[name.split(" ")[0]] |= {option.name for option in options(section)}
    known["method"].add("name")
    found = (f"{section}.{name}" for section, name in NAMED.findall(sentence) if name in known.get(section, ()))
    return next(found, "")


class Route(APIRoute):
    """An address whose errors are answered as sentences."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except DarkroomError as error:
                return answer_to(error)
            except RequestValidationError as error:
                return answer_to(SettingError(in_words(error)))

        return answered


def in_words(error: RequestValidationError) -> str:
    parts = (f"{part['loc'][-1]}: {part['msg']}" for part in error.errors())
    return f"The request cannot be read: {'; '.join(parts)}."


async def body(request: Request) -> dict[str, Any]:
    """The JSON object that was sent; an empty one where nothing was. Raises SettingError."""
    held = b""
    async for part in request.stream():
        held += part
        if len(held) > LARGEST:
            raise SettingError(f"The request is larger than {LARGEST // 2**20} MB.")
    if not held.strip():
        return {}
    try:
        found = parse_json(held)
    except ValueError as error:
        raise SettingError(f"The request is no JSON: {error}.") from None
    if not isinstance(found, dict):
        raise SettingError("The request must be a JSON object.")
    return found


def only(given: dict[str, Any], **kinds: type | tuple[type, ...]) -> dict[str, Any]:
    """What was sent, if it has no other names than these and values of these kinds. Raises SettingError."""
    for name, value in given.items():
        if name not in kinds:
            raise SettingError(f"{name[:80]!r} is not known here. Known: {', '.join(kinds)}.")
        wrong_bool = isinstance(value, bool) and bool not in as_kinds(kinds[name])
        if wrong_bool or not isinstance(value, kinds[name]):
            wanted = " or ".join(NAMES[kind] for kind in as_kinds(kinds[name]))
            raise SettingError(f"{name} must be {wanted}.")
    return given


def as_kinds(kind: type | tuple[type, ...]) -> tuple[type, ...]:
    return kind if isinstance(kind, tuple) else (kind,)


NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "an object",
         list: "a list", type(None): "null"}
