"""What something takes in a fresh process: its seconds, and the peak of the memory that it has for itself (RssAnon)."""

import json
import subprocess
import sys
import time
from pathlib import Path

INTERVAL, MIB, GIB = 0.05, 2**20, 2**30


def memory_of(process: int | str) -> int:
    """RssAnon in bytes; 0 for a process that has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon")), 0)


def measured(module: str, *arguments: object) -> dict:
    """What `python -m module arguments` says in JSON on its last line, its "peak" in bytes, and its "seconds"."""
    began, most = time.monotonic(), 0
    process = subprocess.Popen([sys.executable, "-m", module, *map(str, arguments)], stdout=subprocess.PIPE,
                               encoding="utf-8")
    while process.poll() is None:
        most = max(most, memory_of(process.pid))
        time.sleep(INTERVAL)
    assert process.stdout and process.returncode == 0
    said = json.loads(process.stdout.read().strip().splitlines()[-1])
    return {**said, "peak": most, "seconds": round(time.monotonic() - began)}
