"""The HTTP API: what it answers, whom it lets in, and that nothing sent to it makes it fail."""

import base64
import random
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from helpers import draw_pictures, quick_run, write_trained_state
from shown import Shown
from starlette.testclient import TestClient

from extension_lib.api.answers import setting_in
from extension_lib.api.router import PREFIX, make_router
from extension_lib.config.run import to_dict
from extension_lib.overnight.queue import queue_of
from extension_lib.overnight.row import DONE, RUNNING
from extension_lib.setup.practice import BASE
from extension_lib.workspaces.workspace import create_workspace, open_workspace

LOGIN = {"Authorization": "Basic " + base64.b64encode(b"me:long secret").decode()}


class Here(Shown):
    """It has the practice model."""

    def __init__(self, root):
        super().__init__(root)
        self.folders.checkpoints.mkdir(parents=True)
        (self.folders.checkpoints / "toyland.safetensors").write_bytes(b"")


@pytest.fixture
def host(tmp_path):
    return Here(tmp_path / "工作")


@pytest.fixture
def client(host):
    return client_of(host)


def client_of(host, **given):
    app = FastAPI()
    app.include_router(make_router(host, **given))
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def settings(tmp_path):
    return to_dict(quick_run(draw_pictures(tmp_path / "pictures", 1)))


def get(client, path, **given):
    return client.get(PREFIX + path, **given)


def post(client, path, body=None, **given):
    return client.post(PREFIX + path, json=body or {}, **given)


def test_a_job_is_created_from_settings_and_answered_at_once(client, host, settings):
    answer = post(client, "/jobs", {"settings": settings})
    job, = answer.json()["jobs"]
    assert answer.status_code == 202 and (job["state"], job["name"], job["steps"]) == ("waiting", "ghost", 4)
    assert get(client, "/jobs/1").json()["settings"]["method"]["rank"] == 4
    assert [one["id"] for one in get(client, "/jobs").json()] == [1]
    assert queue_of(host.folders).row(1).run() == quick_run(settings["concepts"][0]["folder"])


def test_what_is_not_said_is_as_in_the_workspace_or_suits_the_checkpoint(client, host, settings):
    create_workspace(host.folders.workspaces, "mine", quick_run(settings["concepts"][0]["folder"],
                                                                 output={"name": "mine"}))
    job, = post(client, "/jobs", {"workspace": "mine", "settings": {"training": {"steps": 7}}}).json()["jobs"]
    assert (job["workspace"], job["steps"], job["settings"]["method"]["rank"]) == ("mine", 7, 4)
    short = {"output": {"name": "new"}, "concepts": settings["concepts"]}
    job, = post(client, "/jobs", {"settings": short}).json()["jobs"]
    assert job["settings"]["base"]["checkpoint"] == "toyland" and job["workspace"] == "new"


def test_a_sweep_is_a_group_of_jobs(client, settings):
    answer = post(client, "/jobs", {"settings": settings, "sweep": {"training": {"seed": [3, 4]}}})
    assert [job["changes"] for job in answer.json()["jobs"]] == [{"training.seed": 3}, {"training.seed": 4}]


@pytest.mark.parametrize(("change", "setting"), [
    ({"training": {"steps": 0}}, "training.steps"), ({"method": {"name": "lara"}}, "method.name"),
    ({"training": {"stps": 1}}, ""), ({"concepts": []}, "concepts.folder"),
    ({"output": {"name": "a/b"}}, "output.name")])
def test_an_error_is_a_sentence_and_names_the_setting(client, settings, change, setting):
    answer = post(client, "/jobs", {"settings": {**settings, **change}})
    assert answer.status_code == 422 and answer.json()["setting"] == setting and len(answer.json()["error"]) > 10
    assert get(client, "/jobs").json() == []


def test_a_start_that_needs_an_answer_lists_the_answers(client, host, settings):
    space = create_workspace(host.folders.workspaces, "ghost", quick_run(settings["concepts"][0]["folder"]))
    write_trained_state(space, 4, number=1)
    answer = post(client, "/jobs", {"settings": settings})
    assert answer.status_code == 409 and "restart-overwrite" in [one["id"] for one in answer.json()["start"]]
    assert post(client, "/jobs", {"settings": settings, "start": "restart-overwrite"}).status_code == 202


def test_jobs_are_paused_continued_cancelled_moved_copied_and_removed(client, settings):
    for name in ("a", "b"):
        post(client, "/jobs", {"settings": {**settings, "output": {"name": name}}})

    def states():
        return [(one["name"], one["state"]) for one in get(client, "/jobs").json()]

    assert post(client, "/jobs/1/pause").json()["state"] == "held"
    assert post(client, "/jobs/1/continue").json()["state"] == "waiting"
    post(client, "/jobs/2/move", {"before": 1})
    assert post(client, "/jobs/2/duplicate").json()["name"] == "b-v2"
    assert states() == [("b", "waiting"), ("b-v2", "waiting"), ("a", "waiting")]
    assert client.delete(f"{PREFIX}/jobs/1").json()["state"] == "cancelled"
    assert client.delete(f"{PREFIX}/jobs/1").json() == {"removed": 1}
    assert post(client, "/jobs/2/cancel").json()["state"] == "cancelled"
    assert post(client, "/jobs/2/cancel").status_code == 409
    assert post(client, "/jobs/9/cancel").status_code == get(client, "/jobs/9").status_code == 404


def test_one_that_runs_is_asked_to_stop_or_to_discard(client, host, settings):
    post(client, "/jobs", {"settings": settings})
    assert post(client, "/jobs/1/stop").status_code == 409, "it does not run"
    queue_of(host.folders).update(1, state=RUNNING)
    assert post(client, "/jobs/1/stop").json()["request"] == "stop"
    assert post(client, "/jobs/1/discard").json()["request"] == "discard"


def test_events_are_the_lines_of_the_log(client, host, settings):
    post(client, "/jobs", {"settings": settings})
    log = open_workspace(host.folders.workspaces, "ghost").new_log()
    log.write_line("step", step=1, loss=float("nan"))
    log.write_line("ended", step=1, why="Done.")
    queue_of(host.folders).update(1, state=DONE, began=1.0, ended=2.0)
    told = get(client, "/jobs/1/events").text
    assert "event: step\n" in told and '"loss": null' in told and told.strip().endswith('"reason": ""}')
    assert "event: step" not in get(client, "/jobs/1/events?after=1").text


def test_workspaces_are_made_shown_changed_and_moved_to_the_trash(client, settings):
    assert post(client, "/workspaces", {"name": "mine", "settings": settings}).status_code == 201
    changed = client.patch(f"{PREFIX}/workspaces/mine", json={"settings": {"training": {"seed": 9}}})
    assert changed.json()["settings"]["training"]["seed"] == 9
    assert [one["name"] for one in get(client, "/workspaces").json()] == ["mine"]
    assert client.delete(f"{PREFIX}/workspaces/mine").json() == {"trash": "mine"}
    assert get(client, "/workspaces/mine").status_code == 404 and get(client, "/workspaces").json() == []


def test_the_queue_is_stopped_and_follows_rules(client):
    said = client.patch(f"{PREFIX}/queue", json={"stopped": True, "rules": {"begin": "22:00", "end": "7:00"}}).json()
    assert said["stopped"] and said["rules"]["begin"] == "22:00"
    assert client.patch(f"{PREFIX}/queue", json={"rules": {"begin": "late"}}).status_code == 422


def test_every_setting_and_every_address_is_described(client):
    steps = next(one for one in get(client, "/schema").json()["training"] if one["name"] == "steps")
    assert (steps["type"], steps["min"], steps["default"]) == ("integer", 1, 1500)
    told = get(client, "/openapi.json").json()["paths"]
    assert told[f"{PREFIX}/jobs"]["post"]["requestBody"]["content"]["application/json"]["example"]["settings"]
    assert all(one["summary"] for path in told.values() for one in path.values())


def test_a_folder_outside_the_allowed_ones_is_refused_wherever_it_is_named(host, settings, tmp_path):
    from dataclasses import replace

    host.folders = replace(host.folders, named=())
    client = client_of(host)
    sweep = {"settings": {**settings, "concepts": [{"folder": str(host.folders.workspaces)}]},
             "sweep": {"concepts": {"folder": [str(tmp_path / "pictures")]}}}
    for path, body in (("/jobs", {"settings": settings}), ("/workspaces", {"name": "a", "settings": settings}),
                       ("/jobs", sweep)):
        answer = post(client, path, body)
        assert answer.status_code == 422 and "may not read" in answer.json()["error"]
        assert str(tmp_path) not in answer.text
    outside = {**settings, "concepts": [], "base": {"checkpoint": str(BASE)}}
    assert post(client, "/jobs", {"settings": outside}).status_code >= 400
    assert not (host.folders.workspaces / "ghost-1").exists()


def routes(host):
    return [(method, route.path) for route in make_router(host).routes if isinstance(route, APIRoute)
            for method in route.methods]


def test_nothing_can_be_reached_without_the_login(host):
    client = client_of(host, logins={"me": "long secret"})
    for method, path in routes(host):
        answer = client.request(method, path.format(id=1, name="a", kind="lora", cell=0))
        assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Basic"), (method, path)
    for wrong in ("", "Basic x", "Bearer x", LOGIN["Authorization"][:-2], LOGIN["Authorization"] + "A"):
        assert get(client, "/jobs", headers={"Authorization": wrong}).status_code == 401
    assert get(client, "/jobs", headers=LOGIN).json() == []


def test_another_site_s_page_is_refused_and_the_own_one_is_not(host):
    client = client_of(host)
    for method, path in routes(host):
        answer = client.request(method, path.format(id=1, name="a", kind="lora", cell=0),
                                headers={"Origin": "http://elsewhere.example"})
        assert answer.status_code == 403 and answer.json()["error"]
    assert get(client, "/jobs", headers={"Origin": "http://testserver"}).status_code == 200


def test_a_setting_is_found_in_a_sentence():
    assert setting_in("noise.weighting and training.steps") == "noise.weighting" and setting_in("e.g. this one") == ""


VALUES = (None, True, -1, 0, 3, 2**70, 1e308, "", "a", "../../etc", "a\0b", "\ud800", "x" * 5000, [], [[]], {}, {"": 1},
          [1, "a"], {"training": {"steps": "x"}}, {"training": {"seed": [1, 1]}}, {"name": "lora"}, [{"folder": "a"}],
          "CON", "%", "ghost")
NAMES = ("settings", "workspace", "start", "sweep", "name", "before", "stopped", "rules", "file", "kind", "prompts",
         "weights", "seeds", "negative", "steps", "cfg", "width", "height", "sampler", "x")
PARTS = ("1", "0", "-1", "99999999999999999999", "a", "ghost", "..", "%00", "%ff", "lora", "a.b", "con", "x" * 300)


def anything(chance, depth=0):
    if depth < 3 and chance.random() < 0.4:
        return {chance.choice((*NAMES, "training", "method", "concepts", "output", "steps", "seed", "folder", "begin")):
                anything(chance, depth + 1) for _ in range(chance.randrange(4))}
    return chance.choice(VALUES)


def test_whatever_is_sent_is_answered_and_no_fault_of_the_server(host, settings):
    client, chance = client_of(host), random.Random(5)
    post(client, "/jobs", {"settings": settings})
    every = [one for one in routes(host) if not one[1].endswith("/events")]
    for number in range(200):
        method, path = every[number % len(every)]
        while "{" in path:
            path = path[:path.index("{")] + chance.choice(PARTS) + path[path.index("}") + 1:]
        body = {chance.choice(NAMES): anything(chance) for _ in range(chance.randrange(4))}
        content = chance.choice([None, b"{", b"[]", b"\xff", b"[" * 9000, b'{"a": NaN}'])
        sent = {"json": body} if content is None else {"content": content}
        try:
            answer = client.request(method, path + chance.choice(["", "?step=" + quote(chance.choice(PARTS))]), **sent)
        except UnicodeEncodeError:  # of the client
            continue
        assert answer.status_code < 500, (method, path, body, content, answer.text)
        if answer.status_code >= 400 and answer.status_code not in (404, 405):
            assert set(answer.json()) >= {"error", "setting"}, (method, path, answer.text)
