"""A setting is described once, as a field of a frozen dataclass; forms, files, flags and checks are read off it."""

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from textwrap import shorten
from typing import Any, TypeVar, get_type_hints

from .errors import DarkroomError

T = TypeVar("T")
LINES = tuple[str, ...]  # the kind of a setting that holds several lines of text
SHOWN = 80  # characters of a value in a message
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class SettingError(DarkroomError, ValueError):
    """A value that a setting cannot take; the message names the setting, the value and what to do."""


@dataclass(frozen=True)
class Option:
    """What is known of one setting."""

    name: str
    kind: Any  # bool, int, float, str or LINES
    default: Any
    help: str
    label: str
    min: float | None = None
    max: float | None = None
    choices: tuple[str, ...] = ()
    advanced: bool = False
    folder: bool = False
    small: bool = False  # a number best written as 1e-4


def option(default: Any, help: str, *, label: str = "", min: float | None = None, max: float | None = None,
           choices: tuple[str, ...] = (), advanced: bool = False, folder: bool = False, small: bool = False) -> Any:
    """A dataclass field that is a setting. help is written for the person who chooses the value."""
    described = {"help": help, "label": label, "min": min, "max": max, "choices": tuple(choices),
                 "advanced": advanced, "folder": folder, "small": small}
    return field(default=default, metadata=described)


def option_like(owner: type, name: str, default: Any = MISSING, **changes: Any) -> Any:
    """A field that is the owner's setting of this name again, with another default, say, or another help."""
    theirs = next(f for f in fields(owner) if f.name == name)
    return field(default=theirs.default if default is MISSING else default, metadata={**theirs.metadata, **changes})


def options(section: Any) -> list[Option]:
    """The settings of a dataclass (or of an instance), in the order in which they are written."""
    cls = section if isinstance(section, type) else type(section)
    kinds = get_type_hints(cls)
    return [Option(name=f.name, kind=kinds[f.name], default=None if f.default is MISSING else f.default,
                   **{**f.metadata, "label": f.metadata["label"] or label_from(f.name)})
            for f in fields(cls) if "help" in f.metadata]


def label_from(name: str) -> str:
    return name.replace("_", " ").capitalize()


def build(cls: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """An instance of cls from loose values (of a form, file or command line).

    Raises SettingError for an unknown name or a value outside what the option allows.
    """
    known = {o.name: o for o in options(cls)}
    prefix = f"{where}." if where else ""
    for name in values:
        if name not in known:
            raise SettingError(f"{prefix}{brief(name)} is not a setting. Known here: {', '.join(known)}.")
    return cls(**{name: check_value(known[name], value, prefix + name) for name, value in values.items()})


def check_value(option: Option, value: Any, where: str) -> Any:
    """The value converted to the option's kind and held against its limits; raises SettingError."""
    value = CONVERTERS[option.kind](value, where)
    if option.folder:
        value = value.strip('"')  # Windows copies a path in quotes
    if option.choices and value not in option.choices:
        raise SettingError(f"{where} is {shown(value)}, but must be one of {', '.join(option.choices)}.")
    if option.min is not None and value < option.min:
        raise SettingError(f"{where} is {shown(value)}, but must be at least {option.min}.")
    if option.max is not None and value > option.max:
        raise SettingError(f"{where} is {shown(value)}, but must be at most {option.max}.")
    return value


def shown(value: Any) -> str:
    """A value as a message shows it: in one short line, whatever it is."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits; a list in a list, and so on
        return "a value of great length"
    return text if len(text) <= SHOWN else f"{text[:SHOWN - 3]}..."


def brief(name: str) -> str:
    """A name that someone wrote, as a message shows it: in one short line, of characters that can be written."""
    return shorten(name, SHOWN, placeholder="...").encode("utf-8", "backslashreplace").decode("utf-8")


def to_bool(value: Any, where: str) -> bool:
    word = value.strip().lower() if isinstance(value, str) else shown(value).lower()
    if word in TRUE + FALSE:
        return word in TRUE
    raise SettingError(f"{where} is {shown(value)}, but must be true or false.")


def to_float(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise SettingError(f"{where} is {shown(value)}, but must be a number, such as 0.0001 or 1e-4.") from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise SettingError(f"{where} is {shown(value)}, but must be a finite number.")
    return number


def to_int(value: Any, where: str) -> int:
    number = to_float(value, where)
    if number != int(number):
        raise SettingError(f"{where} is {shown(value)}, but must be a whole number.")
    return int(number)


def to_str(value: Any, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise SettingError(f"{where} is {shown(value)}, but must be text. Write it in quotes.")
    text = value if isinstance(value, str) else shown(value)
    if "\0" in text or not is_unicode(text):
        raise SettingError(f"{where} is {shown(text)}, which has characters that no file can hold. Write it anew.")
    return text.strip()


def is_unicode(text: str) -> bool:
    """Not so with half a pair of surrogates: from a damaged file, or a file's name that is not UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def to_lines(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, (str, list, tuple, type(None))):
        raise SettingError(f"{where} is {shown(value)}, but must be lines of text.")
    lines = to_str(value, where).splitlines() if isinstance(value, str) else [to_str(v, where) for v in value or ()]
    return tuple(line.strip() for line in lines if line.strip())


CONVERTERS = {bool: to_bool, int: to_int, float: to_float, str: to_str, LINES: to_lines}
