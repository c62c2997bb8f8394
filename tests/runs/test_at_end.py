"""What the owner wants done at the end of a run is done, and what fails of it harms nothing."""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from extension_lib.events import Ended
from extension_lib.runs.at_end import FILE, tell
from extension_lib.runs.job import Job

SAID = {"name": "ghost; rm -rf", "state": "done", "why": "All 4 steps are done. 完", "step": 4}


def until(true):
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_command_is_started_without_a_shell_and_told_what_has_ended(tmp_path):
    out = tmp_path / "out.json"
    script = "import json, os; open(r'{0}.part', 'w').write(json.dumps([os.environ[n] for n in ("
    script += "'DARKROOM_NAME', 'DARKROOM_STATE', 'DARKROOM_STEP')])); os.replace(r'{0}.part', r'{0}')"
    command = json.dumps([sys.executable, "-c", script.format(out)])
    (tmp_path / FILE).write_text(f"command = {command}", encoding="utf-8")
    tell(tmp_path, SAID)
    until(out.exists)
    assert json.loads(out.read_text(encoding="utf-8")) == ["ghost; rm -rf", "done", "4"]


def test_a_web_hook_is_sent_the_same_as_json(tmp_path):
    held = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            held.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    (tmp_path / FILE).write_text(f'webhook = "http://127.0.0.1:{server.server_port}"', encoding="utf-8")
    tell(tmp_path, SAID)
    thread.join(30)
    server.server_close()
    assert held == [SAID]


@pytest.mark.parametrize(("text", "said"), [
    ('command = ["no such program anywhere"]', "no such program"),
    ('webhook = "file:///etc/passwd"', "must begin with"),
    ('webhook = "http://127.0.0.1:1"', "failed"), ("nonsense", "TOML"), ('shout = "a"', "shout is not a setting")])
def test_what_fails_is_logged_and_harms_nothing(tmp_path, caplog, text, said):
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    tell(tmp_path, SAID)
    assert said in caplog.text


def test_a_job_tells_how_it_ended(tmp_path):
    from helpers import quick_run

    job = Job(quick_run(tmp_path), None, None, None)
    assert job.in_short(Ended(4, "No.", failed=True)) == {"name": "ghost", "state": "failed", "why": "No.", "step": 4}
    assert job.in_short(Ended(4, "All.")) == {"name": "ghost", "state": "done", "why": "All.", "step": 4}
