"""The guard: what fails within it is kept and logged, with a traceback only where the message does not say enough."""

import logging

import pytest

from extension_lib.host import HostError
from extension_lib.training.guard import Guard


def fail(error):
    with Guard("Previews of step 4") as guard:
        raise error
    return guard


@pytest.mark.parametrize("error", [
    RuntimeError("size mismatch"),
    KeyError("x"),
    TypeError("wrong"),
    OSError(28, "full"),
    AssertionError(),
    ImportError("old"),
    StopIteration(),
    NotImplementedError()
])
def test_any_exception_is_kept_and_logged_with_its_traceback(error, caplog):
    guard = fail(error)
    assert guard.error is error and guard.reason
    assert "Previews of step 4 failed" in caplog.text and "Traceback" in caplog.text and "test_guard.py" in caplog.text


@pytest.mark.parametrize("error", [HostError("There is no checkpoint."), RuntimeError("CUDA out of memory")])
def test_what_a_person_can_put_right_is_logged_without_a_traceback(error, caplog):
    assert fail(error).reason == str(error)
    assert str(error) in caplog.text and "Traceback" not in caplog.text


def test_an_exception_without_a_message_is_called_by_its_class():
    assert fail(AssertionError()).reason == "AssertionError"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_program_passes(error):
    with pytest.raises(error):
        fail(error())


def test_nothing_is_logged_where_nothing_fails(caplog):
    caplog.set_level(logging.DEBUG)
    with Guard("Previews of step 4") as guard:
        pass
    assert guard.error is None and not caplog.text
