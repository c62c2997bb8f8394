"""TOML files are read and written; tomllib reads them where Python has it."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..settings import SettingError
from .disk import write_text

LARGEST = 16 * 2**20  # bytes of a file of settings


def read_toml(path: Path) -> dict[str, Any]:
    """The file's values. Raises SettingError for a file that is missing or not TOML."""
    try:
        with open(path, "rb") as file:
            held = file.read(LARGEST + 1)  # a device never ends
        if len(held) > LARGEST:
            raise SettingError(f"{path} is larger than {LARGEST // 2**20} MB, which no file of settings is.")
        return parse_toml(held.decode("utf-8-sig"), path)  # Windows' Notepad writes a byte-order mark
    except FileNotFoundError:
        raise SettingError(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError(f"{path} is not a readable TOML file: {error}.") from None


def parse_toml(text: str, source: Any = "This") -> dict[str, Any]:
    """The values in a text. source: what messages call it. Raises SettingError."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        return tomllib.loads(text)
    except (RecursionError, ValueError) as error:  # the latter also for an integer of thousands of digits
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise SettingError(f"{source} is not a readable TOML file: {reason}.") from None


def write_toml(path: Path, values: Mapping[str, Any]) -> None:
    write_text(path, dump_toml(values))


def dump_toml(values: Mapping[str, Any]) -> str:
    import tomli_w  # late: the page must be importable before install.py has run

    return tomli_w.dumps(values)
