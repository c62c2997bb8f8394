"""The ways to teach a model something new, one file each."""

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any

from .base import Method


@cache
def found() -> dict[str, type[Method]]:
    """Every method by its name: the classes in this folder's files that have one."""
    out: dict[str, Any] = {}
    for info in pkgutil.iter_modules(__path__):
        module = import_module(f".{info.name}", __name__)
        for value in vars(module).values():
            name = vars(value).get("name") if isinstance(value, type) and value.__module__ == module.__name__ else None
            if isinstance(name, str):
                out[name] = value
    return dict(sorted(out.items(), key=lambda item: item[1].order))
