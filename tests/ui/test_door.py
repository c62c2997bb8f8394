"""Who may come in to the page: by its own names, from itself, and with the password."""

import base64

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from extension_lib.ui.door import Door, Login

HOME = "127.0.0.1:7861"


def answer(headers, path="/", **door):
    routes = [Route("/{any:path}", lambda request: PlainTextResponse("inside"), methods=["GET", "POST"])]
    served = TestClient(Starlette(routes=routes, middleware=[Middleware(Door, **door)]))
    return served.post(path, headers=headers)


@pytest.mark.parametrize("host", ["localhost:7861", HOME, "192.168.1.5:7861", "[::1]:7861", "LOCALHOST", "ghost.local"])
def test_the_page_answers_to_its_own_names(host):
    assert answer({"host": host}, names=frozenset({"Ghost"})).text == "inside"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7861", "127.0.0.1.evil.example",
                                  "localhost.evil.example", "", "[", "evil@localhost.example"])
def test_a_name_that_someone_else_made_lead_here_is_refused(host):
    assert answer({"host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "http://6.6.6.6", "null", "http://127.0.0.1:8000", "["])
def test_requests_of_other_sites_are_refused(origin):
    assert answer({"host": HOME, "origin": origin}).status_code == 403


def test_the_page_s_own_requests_are_let_in_also_through_a_proxy_that_its_owner_named():
    assert answer({"host": HOME, "origin": f"http://{HOME}"}).text == "inside"
    named = {"names": frozenset({"art.example"})}
    assert answer({"host": HOME, "origin": "https://art.example"}, **named).text == "inside"
    assert answer({"host": "art.example", "origin": "https://art.example"}, **named).text == "inside"


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("given", [None, "", "Basic", "Basic !", basic("ghost:wrong"), basic("ghost"), basic("ghost:"),
                                   basic("Ghost:s3cret word 幽灵"), "Bearer s3cret"])
@pytest.mark.parametrize("path", ["/", "/config", "/gradio_api/queue/join", "/darkroom/job", "/gradio_api/upload"])
def test_without_the_password_nothing_is_told(given, path):
    refused = answer({"host": HOME, **({"authorization": given} if given is not None else {})}, path,
                     login=Login("ghost", "s3cret word 幽灵"))
    assert refused.status_code == 401 and "inside" not in refused.text
    assert refused.headers["www-authenticate"].startswith("Basic")


def test_with_the_password_everything_is():
    given = {"host": HOME, "authorization": basic("ghost:s3cret word 幽灵")}
    assert answer(given, login=Login("ghost", "s3cret word 幽灵")).text == "inside"
