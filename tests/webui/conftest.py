"""A real WebUI for the tests here, and a real Forge for those called test_forge_*.py; without WEBUI_DIR or FORGE_DIR
they are skipped, and say so.
"""

import os
import time
from pathlib import Path

import pytest
from browser import free_port

WEBUI_DIR, FORGE_DIR = os.environ.get("WEBUI_DIR", ""), os.environ.get("FORGE_DIR", "")


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if Path(item.fspath).is_relative_to(here):
            item.add_marker(pytest.mark.webui)
            forge = Path(item.fspath).name.startswith("test_forge_")
            if not (FORGE_DIR if forge else WEBUI_DIR):
                variable, what = ("FORGE_DIR", "Forge") if forge else ("WEBUI_DIR", "WebUI")
                item.add_marker(pytest.mark.skip(reason=f"{variable} is not set: no real {what} to test in"))


@pytest.fixture(scope="session")
def checks():
    """What was seen, by the folder of the program, with seconds and figures; written to docs/webui-run.json and
    docs/forge-run.json in the end.
    """
    from webui import record, server

    seen = {WEBUI_DIR: [], FORGE_DIR: []}
    yield seen
    for folder, path in ((WEBUI_DIR, record.RECORD), (FORGE_DIR, record.FORGE)):
        if seen[folder]:
            record.write(server.version_of(Path(folder)), seen[folder], path)


@pytest.fixture
def seen(request, checks):
    """Call with figures when the test has seen what its name says; without that, or when it fails, nothing is written
    down.
    """
    began, told = time.monotonic(), []
    yield told.append
    if told and not getattr(request.node, "failed", False):
        folder = FORGE_DIR if request.node.path.name.startswith("test_forge_") else WEBUI_DIR
        checks[folder].append({"name": request.node.name, "seconds": round(time.monotonic() - began, 1), **told[-1]})


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        item.failed = outcome.get_result().failed


@pytest.fixture(scope="module")
def webui(request, tmp_path_factory):
    """The WebUI with this extension and the practice model, running; also with the tiny checkpoints of which a file of
    tests has the names in CHECKPOINTS.
    """
    from webui import server

    data = tmp_path_factory.mktemp("webui 数据")  # spaces and Chinese in every path
    server.prepare(data, getattr(request.module, "CHECKPOINTS", ()))
    with server.running(Path(WEBUI_DIR), data, port=free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def page(webui):
    """The WebUI's page with the Darkroom tab open."""
    from browser import opened, show_darkroom

    with opened(webui.url) as made:
        show_darkroom(made)
        yield made
