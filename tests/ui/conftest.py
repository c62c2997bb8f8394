"""What tests of pages in a browser share."""

import pytest
from browser import entered, opened, served
from helpers import draw_pictures


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    from extension_lib.hosts.standalone import Standalone

    return Standalone(tmp_path_factory.mktemp("studio 工作"))


@pytest.fixture(scope="module")
def url(host):
    with served(host) as address:
        yield address


@pytest.fixture
def page(url):
    with opened(url) as made:
        entered(made)
        yield made
        assert made.problems == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_pictures(tmp_path_factory.mktemp("照片 of a ghost") / "ghost")
