"""Runs share what was encoded: of all methods and workspaces of one checkpoint."""

import pytest
from helpers import losses, quick_run

from extension_lib.models.view import View
from extension_lib.runs.start import start_run, workspace_for
from extension_lib.workspaces.workspace import CACHE, list_workspaces


@pytest.mark.parametrize("limit", [1.0, 0.0])
def test_another_workspace_and_method_encode_nothing_again_where_there_is_a_cache(host, pictures, monkeypatch, limit):
    encoded, encode, seen = [], View.encode_images, {}
    monkeypatch.setattr(View, "encode_images", lambda view, pixels: encoded.append(1) or encode(view, pixels))
    for name, method in (("one", "lora"), ("two", "hypernetwork"), ("three", "lora")):
        encoded.clear()
        run = quick_run(pictures, output={"name": name}, method={"name": method}, training={"steps": 2},
                        saving={"cache_limit": limit, "precision": "fp32"})
        job = start_run(run, host, workspace_for(run, host))
        assert not job.wait(60).failed
        seen[name] = len(encoded), losses(job.history)
    assert [count for count, _ in seen.values()] == ([5, 0, 0] if limit else [5, 5, 5])
    assert seen["one"][1] == seen["three"][1]
    assert len(list_workspaces(host.folders.workspaces)) == 3
    assert any((host.folders.workspaces / CACHE).rglob("*.safetensors")) == bool(limit)
