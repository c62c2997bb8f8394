"""What tests of pages in a browser share."""

import pytest
from browser import entered, free_port, opened
from helpers import draw_pictures


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    from extension_lib.hosts.standalone import Standalone

    return Standalone(tmp_path_factory.mktemp("studio 工作"))


@pytest.fixture(scope="module")
def url(host):
    from extension_lib.ui.app import built, script, style

    blocks, port = built(host), free_port()
    blocks.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, css=style(), head=script(), quiet=True)
    yield f"http://127.0.0.1:{port}"
    blocks.close()


@pytest.fixture
def page(url):
    with opened(url) as made:
        entered(made)
        yield made
        assert made.problems == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return draw_pictures(tmp_path_factory.mktemp("照片 of a ghost") / "ghost")
