"""Whether everything needed is installed, and another try at it; install.py does the work."""

import importlib.util
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
PROBLEM = HERE / ".install-problem.txt"
MODULES = ("lycoris", "tomli_w")


def problem() -> str:
    """One line about what is missing, or ""."""
    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if not missing:
        return ""
    if PROBLEM.exists():
        return PROBLEM.read_text(encoding="utf-8").strip()
    return f"Darkroom needs {' and '.join(missing)}, and they are not installed yet."


def retry() -> str:
    """Runs install.py again; returns what is still wrong, or ""."""
    subprocess.run([sys.executable, str(HERE / "install.py")], check=False)
    importlib.invalidate_caches()
    return problem()
