"""What tests share: a tiny true model, pictures, and a host to train on."""

import gc
import importlib.util
import os
import sys
from pathlib import Path

import pytest

# before torch is imported: its threads leave a busy machine to others
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workers share the cores

ROOT = Path(__file__).resolve().parents[1]
for folder in (ROOT, ROOT / "tests", ROOT / "tests" / "ui", ROOT / "tests" / "methods"):
    sys.path.insert(0, str(folder))

HAS_DIFFUSERS = importlib.util.find_spec("diffusers") is not None
HAS_LDM = importlib.util.find_spec("ldm") is not None


def pytest_ignore_collect(collection_path, config):
    """Each environment collects what it has the libraries for, so that nothing counts as skipped."""
    name = collection_path.name
    if name.endswith("_standalone.py") and not HAS_DIFFUSERS:
        return True
    if name.endswith("_ldm.py") and not HAS_LDM:
        return True
    return None


def pytest_collection_modifyitems(items):
    """Files with a browser come first: they wait more than they work, so one of them must not be the last of all."""
    in_browser = {item.path for item in items if item.get_closest_marker("browser")}
    items.sort(key=lambda item: item.path not in in_browser)


def pytest_collection_finish():
    """What was imported stays: the garbage collector need not look through it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def view():
    """Toyland's base as a model: diffusers' classes in one environment, LDM's in the other."""
    from helpers import load_view

    return load_view()


@pytest.fixture(scope="session")
def weights_before(view):
    """Fingerprints of the model's weights before any test."""
    from extension_lib.models.frozen import checksum, parameter_states

    return checksum(parameter_states((view.unet, *view.text_models, view.vae)))


@pytest.fixture
def model(view, weights_before, monkeypatch):
    """The model borrowed for one test; afterwards it is checked to be what it was before the first."""
    from extension_lib.models import frozen

    with monkeypatch.context() as patch:
        patch.setattr(frozen, "checksum", lambda states: weights_before)  # they need not be computed anew for each test
        borrowed = frozen.frozen(view.unet, *view.text_models, view.vae)
        borrowed.__enter__()
    try:
        yield view
        view.unpark()
    finally:
        borrowed.__exit__(None, None, None)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Call with a name of tiny.NAMED for the path of that random checkpoint."""
    from functools import partial

    from tiny import write_named

    return partial(write_named, tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def pictures(tmp_path):
    """A folder with five small pictures and captions."""
    from helpers import draw_pictures

    return draw_pictures(tmp_path / "pictures")


@pytest.fixture
def host(tmp_path, view):
    """The standalone host with toyland's base, loaded once for all tests."""
    from extension_lib.host import find_checkpoint
    from extension_lib.hosts.standalone import Loaded, Standalone

    made = Standalone(tmp_path / "工作 室")
    made.ready = Loaded(find_checkpoint(made, "toyland"), view)
    return made


def pytest_sessionfinish(session, exitstatus):
    """With NO_SKIPS set, a test that is skipped outside tests/webui fails the run: a machine lacks what it should
    have.
    """
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reports = reporter.stats.get("skipped", []) if reporter else []
    skipped = [report for report in reports if "tests/webui/" not in report.nodeid]
    if os.environ.get("NO_SKIPS") and skipped and exitstatus == 0:
        reporter.write_line(f"{len(skipped)} tests were skipped, and NO_SKIPS is set", red=True)
        session.exitstatus = 1
