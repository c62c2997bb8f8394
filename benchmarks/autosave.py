"""What autosaving costs, as a share of a run's time: `python -m benchmarks.autosave [toyland] [sd1]`.

Each run trains for some minutes in a temporary folder. sd1 is of Stable Diffusion 1's size, with random weights: it
takes 12 GB of memory and 10 GB of disk.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from extension_lib.config.run import Run
from extension_lib.events import Autosaved
from extension_lib.hosts.standalone import Standalone
from extension_lib.runs.files import RunFiles
from extension_lib.runs.job import Job
from extension_lib.runs.start import start_run, workspace_for
from toyland.subjects import SUBJECTS

from .random_checkpoint import write_random_checkpoint

SECONDS, INTERVAL = 240, 5  # of a run, and between two autosaves: sixty times as often as by default


@dataclass
class Measured:
    """Seconds of each autosave, and of the whole training."""

    autosaves: list[float] = field(default_factory=list)
    whole: float = 0.0

    @property
    def share(self) -> float:
        return sum(self.autosaves) / self.whole


def timed(keep: Callable[..., Any], measured: Measured) -> Callable[..., Any]:
    def timed_keep(*given: Any) -> Any:
        begun = time.perf_counter()
        kept = keep(*given)
        if isinstance(kept, Autosaved):
            measured.autosaves.append(time.perf_counter() - begun)
        return kept
    return timed_keep


def measure(host: Standalone, run: Run) -> Measured:
    """Trains for SECONDS; then everything is discarded."""
    measured, keep = Measured(), RunFiles.keep
    RunFiles.keep = timed(keep, measured)  # type: ignore[method-assign]
    try:
        job: Job = start_run(run, host, workspace_for(run, host))
        with job.changed:
            job.changed.wait_for(lambda: job.step > 0 or job.ended)
        begun = time.perf_counter()
        job.wait(SECONDS)
        measured.whole = time.perf_counter() - begun
        job.discard()
        job.wait()
    finally:
        RunFiles.keep = keep  # type: ignore[method-assign]
    return measured


def run_on(checkpoint: str, side: int, method: str) -> Run:
    return Run().with_values({
        "output": {"name": "measured"}, "base": {"checkpoint": checkpoint}, "method": {"name": method},
        "concepts": [{"folder": str(SUBJECTS["ghost"].folder)}], "data": {"resolution": side},
        "training": {"steps": 1_000_000, "batch_size": 1, "measure_every": 10_000_000},
        "saving": {"autosave_minutes": INTERVAL / 60}})


def main(*names: str) -> None:
    for name in names or ("toyland", "sd1"):
        with tempfile.TemporaryDirectory() as folder:
            host, side = Standalone(Path(folder)), 64
            if name == "sd1":
                host.folders.checkpoints.mkdir(parents=True)
                write_random_checkpoint(host.folders.checkpoints / "sd1.safetensors")
                side = 128
            made = measure(host, run_on(name, side, "lora"))
        longest = max(made.autosaves, default=0.0)
        print(f"{name}: {len(made.autosaves)} autosaves in {made.whole:.0f} s took {made.share:.2%} of the time; the "
              f"longest {longest:.2f} s, which is {longest / 300:.2%} of five minutes")


if __name__ == "__main__":
    main(*sys.argv[1:])
