"""The ways to teach a model something new, one file each."""

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path

from .base import Method


@cache
def all_methods() -> dict[str, type[Method]]:
    """Every method by its name: the subclasses of Method in this folder's files that have one.

    Raises ValueError for two methods of one name.
    """
    methods: dict[str, type[Method]] = {}
    for info in pkgutil.iter_modules(__path__):
        module = import_module(f".{info.name}", __name__)
        for cls in vars(module).values():
            if not (isinstance(cls, type) and issubclass(cls, Method) and cls.__module__ == module.__name__):
                continue
            if (name := vars(cls).get("name")) is None:
                continue  # what several methods share
            if name in methods:
                raise ValueError(f"Two methods are named {name!r}: {methods[name].__qualname__} in "
                                 f"{methods[name].__module__} and {cls.__qualname__} in {cls.__module__}. Rename one.")
            methods[name] = cls
    return dict(sorted(methods.items(), key=lambda item: item[1].order))


def add_folder(folder: Path) -> None:
    """From now on methods are also looked for in the files of this folder, which import as if they stood in this
    one.
    """
    __path__.append(str(folder))
    all_methods.cache_clear()
