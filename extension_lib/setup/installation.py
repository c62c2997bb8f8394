"""Whether everything needed is installed, and another try at it; install.py does the work."""

import importlib.util
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
PROBLEM, STAMP = HERE / ".install-problem.txt", HERE / ".installed.json"
MODULES = ("lycoris", "tomli_w", *(() if sys.version_info >= (3, 11) else ("tomli",)))


def problem() -> str:
    """One line about what is missing, or ""."""
    if PROBLEM.exists():  # also of a package that is there and cannot be imported
        return PROBLEM.read_text(encoding="utf-8").strip()
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    return f"Darkroom needs {' and '.join(missing)}, and they are not installed yet." if missing else ""


def retry() -> str:
    """Runs install.py again, from the beginning; returns what is still wrong, or ""."""
    STAMP.unlink(missing_ok=True)
    subprocess.run([sys.executable, str(HERE / "install.py")], check=False)
    importlib.invalidate_caches()
    return problem()


def add(packages: list[str]) -> str:
    """Adds packages without changing any other; returns what went wrong, or ""."""
    done = subprocess.run([sys.executable, str(HERE / "install.py"), *packages], capture_output=True, text=True,
                          encoding="utf-8", errors="replace", check=False)
    importlib.invalidate_caches()
    return done.stdout.strip()
