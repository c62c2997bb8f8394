"""The client of docs/api.md, run against a real server."""

import re
import threading
import time

import pytest
import uvicorn
from browser import free_port
from fastapi import FastAPI
from helpers import ROOT, draw_pictures

from extension_lib.api.router import make_router
from extension_lib.overnight.worker import Worker


@pytest.fixture
def address(host):
    app, port = FastAPI(), free_port()
    app.include_router(make_router(host))
    server, worker = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error")), Worker(host)
    threads = [threading.Thread(target=one, daemon=True) for one in (server.run, worker.serve)]
    for thread in threads:
        thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    worker.close()
    server.should_exit = True
    for thread in threads:
        thread.join(30)


def test_the_client_of_the_document_trains_and_follows(address, host, tmp_path, capsys):
    example = re.search(r"```python\n(.*?)```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.S)[1]
    for old, new in (("http://127.0.0.1:7861", address), ('"steps": 20', '"steps": 2, "batch_size": 1'),
                     ("toyland/subjects/ghost", draw_pictures(tmp_path / "ghost", 2).as_posix()),
                     ('"rank": 8', '"rank": 2, "skip_blocks": "IN03-OUT08"')):
        assert old in example
        example = example.replace(old, new)
    exec(compile(example, "docs/api.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line.split()[0] in ("began", "step", "saved", "ended", "done")] == [
        "began", "step", "step", "saved", "ended", "done"]
    assert lines[-1] == "['ghost.safetensors']"
