"""Every module of the package can be imported with this environment's libraries."""

import importlib
import pkgutil
import sys

import pytest
from helpers import ROOT

import extension_lib

# a WebUI's own, and what the WebUI's environment lacks
ELSEWHERE = {"backend", "modules", "modules_forge", "networks", "diffusers"}
MODULES = sorted(m.name
                 for m in pkgutil.walk_packages(extension_lib.__path__, "extension_lib.", onerror=lambda name: None)
                 if not m.name.endswith("__main__"))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_can_be_imported_or_lacks_what_only_another_program_has(name):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert (error.name or "").partition(".")[0] in ELSEWHERE, error


def test_all_of_the_package_is_looked_at():
    files = {path for path in (ROOT / "extension_lib").rglob("*.py") if path.name not in ("__init__.py", "__main__.py")}
    assert len(MODULES) >= len(files) > 50
    assert "extension_lib.ui.page" in sys.modules
