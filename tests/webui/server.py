"""A real WebUI started for the tests, in a data folder of its own, with this extension in it."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterable
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ("install.py", "scripts", "extension_lib", "javascript", "style.css", "localizations", "toyland", "LICENSE")
FLAGS = ("--skip-prepare-environment", "--skip-torch-cuda-test", "--use-cpu", "all", "--no-half", "--api",
         "--no-download-sd-model")
STARTED = ("Startup time:", "Model loaded in")  # asked anything before, the WebUI may fail to add its API
OFFLINE = {"show_progress_type": "Approx cheap"}  # the others fetch a file for SDXL


class WebUI:
    """How to talk to the running server."""

    def __init__(self, folder: Path, data: Path, port: int, process: subprocess.Popen, log: Path):
        self.folder, self.data, self.port, self.process, self.log = folder, data, port, process, log
        self.url = f"http://127.0.0.1:{port}"

    @property
    def loras(self) -> Path:
        return self.data / "models" / "Lora"

    def get(self, path: str):
        with urllib.request.urlopen(self.url + path, timeout=60) as answer:
            return json.load(answer)

    def post(self, path: str, timeout: float = 600, **body):
        request = urllib.request.Request(self.url + path,
                                         json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)

    def txt2img(self, prompt: str, seed: int = 1, size: int = 64, steps: int = 20, **more) -> bytes:
        """The PNG of a picture drawn over the API."""
        import base64

        body = {"prompt": prompt, "seed": seed, "width": size, "height": size, "steps": steps, "cfg_scale": 4.0,
                "sampler_name": "Euler", **more}
        return base64.b64decode(self.post("/sdapi/v1/txt2img", **body)["images"][0])

    def load(self, name: str) -> str:
        """Makes this checkpoint the WebUI's, as its dropdown does; returns its title."""
        title = next(m["title"] for m in self.get("/sdapi/v1/sd-models") if m["model_name"] == name)
        self.post("/sdapi/v1/options", sd_model_checkpoint=title)
        return title

    def console(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def memory(self) -> tuple[int, int]:
        """(now, peak) resident bytes of the server."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        now, peak = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
        return now, peak


def python_of(folder: Path) -> Path:
    own = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    return Path(os.environ.get("WEBUI_PYTHON") or own)


def version_of(webui: Path) -> dict[str, str]:
    """The version of a WebUI, from its CHANGELOG.md, or of a Forge, and its commit, where it is a git checkout."""
    told = [(webui / "modules_forge" / "forge_version.py", "version = "), (webui / "CHANGELOG.md", "## ")]
    lines = [line.removeprefix(start).strip(" \n'") for path, start in told if path.exists()
             for line in path.read_text(encoding="utf-8").splitlines() if line.startswith(start)]
    version = lines[0] if lines else "unknown"
    asked = subprocess.run(["git", "-C", str(webui), "rev-parse", "HEAD"], capture_output=True, text=True,
                           encoding="utf-8")
    return {"version": version, "commit": asked.stdout.strip() or "unknown"}


def install_extension(data: Path) -> None:
    target = data / "extensions" / "darkroom"
    target.mkdir(parents=True)
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "work"))
        elif source.exists():
            shutil.copy(source, target / name)


def prepare(data: Path, checkpoints: Iterable[str] = ()) -> None:
    """A data folder with this extension, the tests' own, the practice model, and tiny checkpoints of these names."""
    from eager import preset
    from tiny import write_named

    from extension_lib.host import PRESET_SUFFIX
    from extension_lib.setup import practice
    from extension_lib.support.toml import write_toml

    folder = data / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    practice.install(folder)
    for name in checkpoints:
        write_named(folder, name)
        write_toml(folder / (name + PRESET_SUFFIX), preset())
    if checkpoints:
        (data / "config.json").write_text(json.dumps(OFFLINE), encoding="utf-8")
    install_extension(data)
    install_helper(data)


def install_helper(data: Path) -> None:
    """A second extension, through which the tests ask the WebUI's own classes."""
    target = data / "extensions" / "for-tests" / "scripts"
    target.mkdir(parents=True)
    for script in ("golden_extension.py", "live_extension.py"):
        shutil.copy(ROOT / "tests" / "webui" / script, target)
    shutil.copy(ROOT / "tests" / "webui" / "one_step.py", target.parent)


@contextmanager
def running(folder: Path, data: Path, port: int, *flags: str, own: tuple[str, ...] = FLAGS,
            said: tuple[str, ...] = STARTED, seconds: float = 240):
    """Starts the WebUI on this data folder and waits until it answers; ends it afterwards.

    own: the flags of this kind of WebUI; said: what its console says when it is ready. install.py is run first, as the
    WebUI does where the flags do not forbid it.
    """
    log = data / f"console {len(list(data.glob('console*.log')))}.log"  # of this start alone
    # what "~" in a path means there
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "HOME": str(data)}
    installer = data / "extensions" / "darkroom" / "install.py"
    subprocess.run([str(python_of(folder)), str(installer)], cwd=folder, env={**env, "PYTHONPATH": str(folder)},
                   check=True)
    command = [str(python_of(folder)), "launch.py", *own, "--data-dir", str(data), "--port", str(port), *flags]
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=out, stderr=subprocess.STDOUT)
    server = WebUI(folder, data, port, process, log)
    try:
        wait_until_ready(server, said, seconds)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(server: WebUI, said: tuple[str, ...], seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.process.poll() is not None:
            raise RuntimeError(f"The WebUI ended while starting:\n{server.console()[-3000:]}")
        console = server.console()
        if all(line in console for line in said) and server.get("/sdapi/v1/sd-models"):
            return
        time.sleep(1)
    raise RuntimeError(f"The WebUI did not start:\n{server.console()[-3000:]}")
