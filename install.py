"""Run by the WebUI at every start: adds the packages Darkroom needs and is missing, and never changes one that is
there.

When nothing has changed since the last time, it looks at one small file and ends; only the standard library is
imported.
"""

import compileall
import json
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata, util
from pathlib import Path

HERE = Path(__file__).resolve().parent
STAMP, PROBLEM = HERE / ".installed.json", HERE / ".install-problem.txt"
SECONDS = 300  # for one call of pip

# For each module, the packages that may provide it, best first. What counts is whether it can be imported on this
# machine's versions: lycoris-lora 4 installs on torch 2.1 but needs torch 2.4 to be imported.
NEEDED = {
    "lycoris.modules.locon": ("lycoris-lora>=4.1.3,<5", "lycoris-lora==3.4.0"),
    "tomli_w": ("tomli-w>=1.0,<2",),
    **({} if sys.version_info >= (3, 11) else {"tomli": ("tomli>=2.0,<3",)}),
}
NEW_ENOUGH = {"lycoris-lora>=4.1.3,<5": (2, 4)}  # the torch without which there is no use in trying


class NoPackage(RuntimeError):
    """A package could not be added; the message is for people."""


def fingerprint() -> dict:
    """What the stamp must agree with: this Python, its torch, this version of Darkroom, and the packages that were
    added.
    """
    return {"python": sys.version, "torch": version("torch"), "darkroom": darkroom_version(),
            "packages": {name: version(name) for name in map(name_of, NEEDED.values())}}


def name_of(packages: tuple) -> str:
    return re.split("[<>=]", packages[0])[0]


def version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def darkroom_version() -> str:
    text = (HERE / "extension_lib" / "__init__.py").read_text(encoding="utf-8")
    return text.split('__version__ = "')[1].split('"')[0]


def is_fresh() -> bool:
    try:
        return json.loads(STAMP.read_text(encoding="utf-8")) == fingerprint()
    except (OSError, ValueError):
        return False


def imports(module: str) -> bool:
    """In a process of its own, so that a broken import leaves nothing behind."""
    return run(sys.executable, "-c", f"import {module}").returncode == 0


def run(*command: str) -> subprocess.CompletedProcess:
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=SECONDS)


def installer() -> list:
    """pip's command, or uv's where this Python has no pip, as in an environment that uv made."""
    uv = None if util.find_spec("pip") else shutil.which("uv")
    if uv:
        return [uv, "pip", "install", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]


def constraints() -> str:
    """Every installed package at its version, so that pip may only add. The first on the path counts, as it does for
    Python, and not what pip has left of one it could not delete."""
    found: dict = {}
    for one in metadata.distributions():
        if (name := one.metadata["Name"]) and not getattr(one, "_path", HERE).name.startswith("~"):
            found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), one.version)
    return "".join(f"{name}=={number}\n" for name, number in sorted(found.items()))


def add(package: str) -> str:
    """Installs a package without touching any other; returns what went wrong, or "". """
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "constraints.txt"
        held.write_text(constraints(), encoding="utf-8")
        done = run(*installer(), "-q", "-c", str(held), package)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip failed"])[-1]


def provide(module: str, packages: tuple) -> None:
    """Makes the module importable. Raises NoPackage."""
    if imports(module):
        return
    reason = "no version of it can be imported here"
    for package in packages:
        if torch_version() < NEW_ENOUGH.get(package, (0,)):
            continue
        reason = add(package) or "it installs, but cannot be imported here"
        if imports(module):
            return
    raise NoPackage(f"Darkroom needs the package {name_of(packages)}, which could not be added: {reason}")


def compile_ahead() -> None:
    """Writes Darkroom's bytecode now, so that the first start of the WebUI need not wait for it."""
    for folder in ("scripts", "extension_lib"):
        compileall.compile_dir(HERE / folder, quiet=2)


def torch_version() -> tuple:
    return tuple(int(part) for part in version("torch").split("+")[0].split(".")[:2] if part.isdigit())


def main() -> int:
    if is_fresh():
        return 0
    STAMP.unlink(missing_ok=True)
    try:
        for module, packages in NEEDED.items():
            provide(module, packages)
        compile_ahead()
    except Exception as error:  # whatever it is, the WebUI must start as if we were not there
        problem = str(error) if isinstance(error, NoPackage) else f"Darkroom could not be set up: {error!r}"
        PROBLEM.write_text(problem, encoding="utf-8")
        print(problem)
        return 1
    PROBLEM.unlink(missing_ok=True)
    STAMP.write_text(json.dumps(fingerprint()), encoding="utf-8")
    return 0


def add_wanted(packages: list) -> int:
    """What a person asked for on the page; prints what could not be added."""
    problems = [f"{package} could not be added: {problem}" for package in packages if (problem := add(package))]
    print(*problems, sep="\n")
    return len(problems)


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit(add_wanted(sys.argv[1:]))
    main()  # the exit status stays 0: the WebUI would print a stack of errors for a missing package
