"""What tests of pages in a browser share."""

import time
from collections.abc import Sequence
from dataclasses import replace

import pytest
from browser import chromium, entered, opened, served, started_browser
from helpers import draw_pictures
from PIL.Image import Image

from extension_lib.events import Event, Stepped
from extension_lib.host import Picture, find_checkpoint
from extension_lib.hosts.standalone import Loaded, Standalone

REST = 0.3  # seconds


class Unhurried(Standalone):
    """A host whose runs rest after each step, so that a page that follows one has the core, and that draws quickly."""

    def show(self, event: Event) -> None:
        if isinstance(event, Stepped):
            time.sleep(REST)

    def draw(self, pictures: Sequence[Picture]) -> list[Image]:
        return super().draw([replace(picture, steps=2) for picture in pictures])


@pytest.fixture(scope="module")
def host(tmp_path_factory, view):
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
