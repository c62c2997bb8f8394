"""A job that fails: the reason is a sentence, and the log has a traceback only for a crash."""

from types import SimpleNamespace

import pytest

from extension_lib.config.run import from_dict
from extension_lib.data import folder
from extension_lib.events import Ended
from extension_lib.families.kind import CheckpointKind
from extension_lib.families.sdxl import SDXL
from extension_lib.host import Folders
from extension_lib.runs.job import Job
from extension_lib.workspaces import workspace

FOLDERS = ("loras", "embeddings", "hypernetworks", "checkpoints", "workspaces")


@pytest.fixture
def job(tmp_path):
    """A job whose folder of pictures is missing."""
    host = SimpleNamespace(folders=Folders(*(tmp_path / name for name in FOLDERS)), show=lambda event: None,
                           stopping=lambda: False)
    run = from_dict({"output": {"name": "ghost"}, "concepts": [{"folder": str(tmp_path / "missing")}]})
    space = workspace.create_workspace(host.folders.workspaces, "ghost", run)
    return Job(run, host, space, SimpleNamespace(path=tmp_path / "model.safetensors"))


def test_a_run_that_cannot_begin_ends_with_a_sentence_and_no_traceback(job, caplog):
    job.work()
    assert job.ended.failed and "There is no folder" in job.ended.why
    assert "There is no folder" in caplog.text and "Traceback" not in caplog.text


@pytest.mark.parametrize("error", [KeyError("tokens"), ImportError("too old"), ZeroDivisionError("0")])
def test_a_crash_ends_the_run_and_leaves_its_traceback_in_the_log(job, caplog, monkeypatch, error):
    def crash(root):
        raise error

    monkeypatch.setattr(folder, "is_folder", crash)
    job.work()
    assert isinstance(job.ended, Ended) and job.ended.failed and job.ended.why == str(error)
    assert "Traceback" in caplog.text and "in crash" in caplog.text


def test_what_needs_less_memory_is_said_for_the_checkpoint_s_family(job):
    job.run = job.run.with_values({"data": {"resolution": 1024}})
    for kind, lower in ((None, True), (CheckpointKind(SDXL, None), False)):
        job.host.kind = lambda checkpoint, kind=kind: kind
        assert ("lower the resolution from 1024 to 512" in job.out_of_memory()) == lower
