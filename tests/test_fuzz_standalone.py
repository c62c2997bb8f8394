"""Whatever a command line says, and whatever is sent to the page: an answer comes, and nothing outside is told."""

import json
import logging
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from browser import launched
from fuzz import SECONDS, few, plain, texts, values
from helpers import draw_pictures
from hypothesis import given
from hypothesis import strategies as st
from shown import Shown

from extension_lib import __main__ as cli
from extension_lib.commands import studio
from extension_lib.config.presets import defaults
from extension_lib.host import HostError
from extension_lib.ui.page import Page
from extension_lib.workspaces import workspace

options_ = st.sampled_from(["--steps", "--width", "--height", "--cfg", "--seed", "--sampler", "--negative", "--lora",
                            "--weights", "--checkpoint", "--out", "--port", "--auth", "--folder", "--name", "--listen"])
numbers = st.sampled_from(["0", "-1", "nan", "1e400", "9" * 5000, "64", "8"])


class Drawing(Shown):
    def load(self, checkpoint):
        pass

    def draw(self, pictures):
        assert all(0 < p.width <= 4096 and 0 < p.steps <= 1000 for p in pictures)
        raise HostError("Nothing is drawn here.")


@few
@given(st.sampled_from(["draw", "compare", "import", "settings", "practice", "app"]), texts,
       st.lists(st.tuples(options_, numbers | texts), max_size=4))
def test_commands_end_with_a_sentence(command, first, more):
    words = [command, *([first] if command != "app" else []), *(word for pair in more for word in pair)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(studio, "host", lambda: Drawing(Path(folder) / "studio"))
        patch.setattr("extension_lib.ui.app.serve", lambda *given: None, raising=False)
        try:
            assert cli.main(words) in (0, 2)
        except SystemExit as ended:
            assert ended.code in (0, 2)


JSON = {"Content-Type": "application/json"}
SECRET = "a secret in a folder that the page may not read"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of a page with limits, the values that it would send at each event, and a private folder."""
    root = tmp_path_factory.mktemp("machine")
    private = draw_pictures(root / "private", 2, caption=SECRET)
    (private / "run.toml").write_text(f"output.name = '{SECRET}'", encoding="utf-8")
    host = Drawing(root / "studio")
    host.folders = replace(host.folders, named=())
    workspace.create_workspace(host.folders.workspaces, "ghost", defaults("lora"))
    with gr.Blocks() as blocks:
        Page(host)
    sent = {n: [getattr(component, "value", None) for component in event.inputs] for n, event in blocks.fns.items()}
    with launched(blocks) as address:
        yield address, sent, private


def send(address, path, data, headers=None):
    request = urllib.request.Request(address + path, data, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")


@pytest.fixture
def tracebacks():
    """Failures that no one has foreseen."""
    records: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record):
            records.extend([record.getMessage()] if record.exc_info else [])

    handler = Kept(logging.WARNING)
    logging.getLogger("darkroom").addHandler(handler)
    yield records
    logging.getLogger("darkroom").removeHandler(handler)


def files_of(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@few
@given(st.data())
def test_whatever_is_sent_to_the_page_is_answered_and_tells_nothing(served, tracebacks, data):
    address, events, private = served
    before = files_of(private)
    odd = texts | plain | values | st.sampled_from([str(private), str(private / "run.toml"), "ghost", "toyland"])
    number = data.draw(st.sampled_from([number for number, sent in events.items() if sent]))
    sent = list(events[number])
    for place in data.draw(st.lists(st.integers(0, len(sent) - 1), max_size=3)):
        sent[place] = data.draw(odd)
    body = json.dumps({"fn_index": number, "session_hash": "fuzz", "data": sent})
    status, said = send(address, "/gradio_api/run/predict", body.encode(), JSON)
    assert status in (200, 400, 404, 422, 500) and SECRET not in said and "Traceback" not in said
    assert files_of(private) == before and tracebacks == []
    assert send(address, "/darkroom/job", None)[0] == 200


@few
@given(st.sampled_from(["/gradio_api/file=", "/file=", "/gradio_api/", "/", "/gradio_api/upload", "/static/"]),
       st.text(max_size=20) | st.sampled_from(["../../etc/passwd", "%2e%2e/%2e%2e/etc/hostname", "/dev/zero", "\\x"]),
       st.none() | st.binary(max_size=50))
def test_any_address_is_answered(served, start, rest, body):
    address, _, private = served
    for path in (rest, str(private / "0.txt")):
        status, said = send(address, start + urllib.parse.quote(path, errors="replace"), body)
        assert 200 <= status < 600 and SECRET not in said and "Traceback" not in said
