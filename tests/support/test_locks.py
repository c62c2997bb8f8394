"""Locks between programs: the second is told who is first, and a dead program's lock counts for nothing."""

import subprocess
import sys

import pytest
from helpers import ROOT

from extension_lib.support.disk import SaveError
from extension_lib.support.locks import Locked, is_locked, locked

pytestmark = pytest.mark.once

HOLD = """
import sys, time
from pathlib import Path
from extension_lib.support.locks import locked
with locked(Path(sys.argv[1]), "It"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_program(tmp_path):
    """A program that holds a lock."""
    path = tmp_path / "工作 room" / "in use.lock"
    program = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline().strip() == "held"
    yield path, program
    program.kill()
    program.wait()


def test_the_second_program_is_told_who_has_it(other_program):
    path, program = other_program
    said = f"The workspace ghost is in use by the program with the number {program.pid} on"
    with pytest.raises(Locked, match=said), locked(path, "The workspace ghost"):
        pass
    assert is_locked(path)


def test_a_killed_program_holds_nothing(other_program):
    path, program = other_program
    program.kill()
    program.wait()
    assert not is_locked(path)
    with locked(path, "It"):
        assert is_locked(path)
    assert not is_locked(path)


def test_a_lock_that_cannot_be_written_is_an_error_of_one_sentence(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(SaveError, match="Could not write"), locked(tmp_path / "file" / "in use.lock", "It"):
        pass
