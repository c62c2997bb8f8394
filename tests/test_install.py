"""install.py: adds what is missing, changes nothing that is there, and never stops the WebUI."""

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from extension_lib.setup import installation

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def folder(tmp_path):
    """A copy of the extension, as far as install.py looks at it, under a path with spaces and Chinese."""
    made = tmp_path / "扩展 darkroom"
    (made / "extension_lib").mkdir(parents=True)
    shutil.copy(ROOT / "install.py", made)
    shutil.copy(ROOT / "extension_lib" / "__init__.py", made / "extension_lib")
    return made


@pytest.fixture
def install(folder):
    spec = importlib.util.spec_from_file_location("darkroom_install", folder / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(folder, *flags):
    return subprocess.run([sys.executable, *flags, str(folder / "install.py")], capture_output=True, text=True,
                          encoding="utf-8")


def test_where_everything_is_there_it_installs_nothing_and_leaves_a_stamp(install, monkeypatch):
    monkeypatch.setattr(install, "add", lambda package: pytest.fail(f"tried to install {package}"))
    assert install.main() == 0 and install.is_fresh() and not install.PROBLEM.exists()


def test_packages_asked_for_on_the_page_are_added_and_what_failed_is_said(folder, install, monkeypatch, capsys):
    monkeypatch.setattr(install, "add", lambda package: "no network" if package == "pillow-heif" else "")
    assert install.add_wanted(["pillow-jxl-plugin", "pillow-heif"]) == 1
    assert capsys.readouterr().out.strip() == "pillow-heif could not be added: no network"
    assert not install.STAMP.exists() and not install.PROBLEM.exists()


@pytest.mark.once
def test_the_first_start_finds_the_bytecode_written(install, folder):
    assert install.main() == 0
    assert list((folder / "extension_lib" / "__pycache__").glob("__init__.*.pyc"))


def test_where_there_is_no_pip_uv_adds_packages(install, monkeypatch):
    commands = []
    monkeypatch.setattr(install, "run", lambda *command: commands.append(command) or SimpleNamespace(returncode=0))
    monkeypatch.setattr(install.shutil, "which", lambda name: f"/bin/{name}")
    install.add("tomli-w")
    monkeypatch.setattr(install.util, "find_spec", lambda name: None)
    install.add("tomli-w")
    assert commands[0][:3] == (sys.executable, "-m", "pip")
    assert commands[1][:5] == ("/bin/uv", "pip", "install", "--python", sys.executable)


def test_with_a_fresh_stamp_only_the_standard_library_is_imported(folder, install):
    install.STAMP.write_text(json.dumps(install.fingerprint()), encoding="utf-8")
    done = run(folder, "-X", "importtime")
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if "|" in line}
    site = {"sitecustomize", "usercustomize", "imported package", "_distutils_hack", "distutils-precedence"}
    assert done.returncode == 0 and not {
        m
        for m in imported - site
        if m not in sys.stdlib_module_names and not m.startswith("_")
    }


@pytest.mark.once
@pytest.mark.parametrize("what", ["python", "torch", "darkroom"])
def test_a_stamp_of_another_version_is_stale(install, what):
    install.STAMP.write_text(json.dumps({**install.fingerprint(), what: "0.0"}), encoding="utf-8")
    assert not install.is_fresh()


def test_without_network_there_is_a_sentence_no_stamp_and_the_webui_starts(folder):
    text = (folder / "install.py").read_text(encoding="utf-8")
    text = text.replace('"tomli_w": ("tomli-w>=1.0,<2",)', '"not_there_at_all": ("not-there-at-all==1.0",)')
    (folder / "install.py").write_text(text, encoding="utf-8")
    env_proof = subprocess.run(
        [sys.executable, str(folder / "install.py")], capture_output=True, text=True, encoding="utf-8", env={
            "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_TIMEOUT": "1",
            "PIP_CONFIG_FILE": "/dev/null", "PATH": ""
        })
    assert env_proof.returncode == 0
    assert not (folder / ".installed.json").exists()
    assert "not-there-at-all, which could not be added" in (folder / ".install-problem.txt").read_text(encoding="utf-8")


def test_the_page_says_what_could_not_be_added_until_it_is_there(tmp_path, monkeypatch):
    """Also when the package is installed, but in a version that cannot be imported."""
    monkeypatch.setattr(installation, "PROBLEM", tmp_path / "problem.txt")
    assert installation.problem() == ""
    (tmp_path / "problem.txt").write_text("It installs, but cannot be imported here.\n", encoding="utf-8")
    assert installation.problem() == "It installs, but cannot be imported here."


def test_pip_is_held_to_every_installed_version(install, monkeypatch):
    seen = {}

    def watched(*arguments):
        seen["constraints"] = Path(arguments[arguments.index("-c") + 1]).read_text(encoding="utf-8")
        return subprocess.CompletedProcess(arguments, 0)

    monkeypatch.setattr(install, "run", watched)
    assert install.add("anything") == ""
    assert f"torch=={install.version('torch')}\n" in seen["constraints"] and "safetensors==" in seen["constraints"]


def test_what_imports_decides_not_what_installs(install, monkeypatch):
    """The first choice installs and cannot be imported; the second is then taken."""
    added = []
    monkeypatch.setattr(install, "add", lambda package: added.append(package) or "")
    monkeypatch.setattr(install, "imports", lambda module: added[-1:] == ["b==1"])
    install.provide("thing", ("a==2", "b==1"))
    assert added == ["a==2", "b==1"]


def test_a_crash_of_its_own_is_a_sentence_too(install, monkeypatch):
    monkeypatch.setattr(install, "provide", lambda *_: 1 / 0)
    assert install.main() == 1
    assert "could not be set up" in install.PROBLEM.read_text(encoding="utf-8") and not install.STAMP.exists()


def test_a_package_that_is_gone_is_added_anew(install, monkeypatch):
    """A virtual environment made anew beside an extension that stayed."""
    assert install.main() == 0 and install.is_fresh()
    monkeypatch.setattr(install, "version", lambda package: "" if package == "lycoris-lora" else "1")
    assert not install.is_fresh()


def test_pip_is_held_to_the_version_that_python_imports(install, monkeypatch):
    """Not to one further down the path, nor to what pip could not delete."""
    def found(name, number, folder):
        return SimpleNamespace(metadata={"Name": name}, version=number, _path=Path(folder))

    listed = [
        found("Some_Thing", "2.0", "a/some_thing-2.0.dist-info"),
        found("some-thing", "1.0", "b/some_thing-1.0.dist-info"),
        found("numpy", "1.0", "a/~umpy-1.0.dist-info"),
        found("numpy", "2.0", "a/numpy-2.0.dist-info")
    ]
    monkeypatch.setattr(install.metadata, "distributions", lambda: listed)
    assert install.constraints() == "numpy==2.0\nsome-thing==2.0\n"
