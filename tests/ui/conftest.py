"""What tests of pages in a browser share."""

import pytest
from browser import chromium, entered, opened, served, started_browser
from helpers import draw_pictures


@pytest.fixture(scope="module")
def host(tmp_path_factory, view):
    from unhurried import Unhurried

    from extension_lib.host import find_checkpoint
    from extension_lib.hosts.standalone import Loaded

    made = Unhurried(tmp_path_factory.mktemp("studio 工作"))
    made.ready = Loaded(find_checkpoint(made, "toyland"), view)
    return made


@pytest.fixture(scope="module")
def url(host):
    with served(host) as address:
        yield address


@pytest.fixture(scope="module", autouse=True)
def browser(request):
    """One browser for the pages of a file; each test has a context of its own in it."""
    marks = getattr(request.module, "pytestmark", [])
    if chromium() and any(mark.name == "browser" for mark in marks):
        with started_browser() as started:
            yield started
    else:
        yield None


@pytest.fixture
def page(url):
    with opened(url) as made:
        entered(made)
        yield made
        assert made.problems == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_pictures(tmp_path_factory.mktemp("照片 of a ghost") / "ghost")
