"""Errors: what a person can put right has one base class; the page and the command line know no other list of them."""

import ast
import builtins
from pathlib import Path

from extension_lib.errors import DarkroomError, is_expected, is_out_of_memory
from extension_lib.host import HostError
from extension_lib.support.disk import SaveError

PACKAGE = Path(__file__).resolve().parents[1] / "extension_lib"
BUILTIN = {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
OTHERS: set[str] = set()  # exception classes that are meant to be crashes


def bases_by_class():
    """Of every class in the package, the names of its bases."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield node.name, [getattr(base, "id", getattr(base, "attr", "")) for base in node.bases]


def ancestors(name, classes):
    return {name}.union(*(ancestors(base, classes) if base != name else {base} for base in classes.get(name, ())))


def test_every_exception_of_the_package_is_an_error_that_a_person_can_put_right():
    classes = dict(bases_by_class())
    exceptions = {name for name in classes if ancestors(name, classes) & BUILTIN}
    assert len(exceptions) > 12
    assert {name for name in exceptions if "DarkroomError" not in ancestors(name, classes)} == OTHERS


def test_code_that_catches_the_builtin_class_still_catches_ours():
    assert issubclass(SaveError, OSError) and issubclass(HostError, RuntimeError)
    assert str(SaveError("Could not write it.")) == "Could not write it."


def test_what_needs_no_traceback_is_told_from_what_needs_one():
    assert is_expected(HostError("There is no checkpoint.")) and is_expected(MemoryError())
    assert is_out_of_memory(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert not is_expected(RuntimeError("size mismatch")) and not is_expected(KeyError("x"))
    assert issubclass(DarkroomError, Exception)
