"""The app as others in the network meet it: over HTTP, with a password, and with no way to other files."""

import base64
import json
import secrets
import urllib.error
import urllib.request

import gradio as gr
import pytest
from browser import free_port

from extension_lib.host import HostError
from extension_lib.hosts.standalone import Standalone
from extension_lib.runs import job as jobs
from extension_lib.ui import app
from extension_lib.ui.door import Login

LOGIN = Login("ghost", "a long password")


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    made = Standalone(tmp_path_factory.mktemp("studio"))
    made.folders.workspaces.mkdir()
    (made.folders.workspaces / "private.txt").write_text("a secret", encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def address(host):
    port = free_port()
    app.serve(host, port, login=LOGIN, wait=False)
    yield f"http://127.0.0.1:{port}"
    gr.close_all()


def ask(url, data=None, **headers):
    """The status and the text of an answer."""
    known = "Basic " + base64.b64encode(f"{LOGIN.user}:{LOGIN.password}".encode()).decode()
    request = urllib.request.Request(url, data, {"Authorization": known, **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")


PATHS = ("/", "/config", "/gradio_api/info", "/darkroom/job", "/theme.css", "/gradio_api/queue/data?session_hash=x",
         "/gradio_api/file=/etc/hostname", "/docs", "/openapi.json", "/static/img/logo.svg", "/manifest.json", "/none")


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_told_without_the_password(address, path):
    assert ask(address + path, Authorization="Basic x")[0] == 401


def test_the_page_is_there_with_it(address, monkeypatch):
    monkeypatch.setattr(jobs, "jobs", [])
    assert "Darkroom" in ask(address + "/")[1] and ask(address + "/darkroom/job") == (200, "")


def test_another_name_and_another_site_are_refused(address):
    assert ask(address + "/", Host="evil.example")[0] == 421
    assert ask(address + "/gradio_api/queue/join", b"{}", Origin="http://evil.example")[0] == 403


@pytest.mark.parametrize("way", ["/gradio_api/file=", "/file=", "/gradio_api/file/", "/gradio_api/proxy=file://"])
def test_no_file_is_given_out(address, host, way):
    for path in (host.folders.workspaces / "private.txt", app.PROJECT / "style.css", "/etc/hostname", "/dev/zero"):
        status, said = ask(f"{address}{way}{path}")
        assert status >= 400 and "secret" not in said and "darkroom-" not in said


def upload(address, size):
    edge = secrets.token_hex(8)
    head = f'--{edge}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    body = head.encode() + b"\0" * size + f"\r\n--{edge}--\r\n".encode()
    return ask(f"{address}/gradio_api/upload", body, **{"Content-Type": f"multipart/form-data; boundary={edge}"})


def test_a_file_that_is_too_large_is_not_taken(address):
    status, said = upload(address, 1000)
    assert status == 200 and json.loads(said)
    assert upload(address, 101 * 2**20)[0] == 413


def test_a_port_that_is_taken_is_one_sentence(address, host):
    with pytest.raises(HostError, match="is used by another program"):
        app.serve(host, int(address.rpartition(":")[2]), wait=False)
