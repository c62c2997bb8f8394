"""A queue of short runs, some of which fail, killed again and again: python -m benchmarks.overnight.

Every run must be done once, bit for bit as alone, or have failed with its reason. Writes docs/overnight.json.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # a fork has no threads but its own

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from extension_lib import __main__ as cli  # noqa: E402
from extension_lib.commands import studio  # noqa: E402
from extension_lib.config.run import Run, from_dict, merge_values, to_dict  # noqa: E402
from extension_lib.host import Checkpoint  # noqa: E402
from extension_lib.hosts.standalone import Loaded, Standalone, folders  # noqa: E402
from extension_lib.overnight import worker  # noqa: E402, F401  before the forks: they need not import it
from extension_lib.overnight.adding import add_run  # noqa: E402
from extension_lib.overnight.queue import queue_of  # noqa: E402
from extension_lib.overnight.row import DONE, FAILED, Row  # noqa: E402
from extension_lib.runs.start import workspace_for  # noqa: E402
from extension_lib.setup.practice import BASE  # noqa: E402
from extension_lib.support.toml import write_toml  # noqa: E402
from extension_lib.training import autosave  # noqa: E402
from extension_lib.workspaces.workspace import Workspace  # noqa: E402
from toyland.scene import Figure, Scene, draw  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
STEPS, FAILING = 6, 0.2  # of a run; share of runs that cannot succeed
# Ways to learn, each of which is also trained alone.
KINDS: dict[str, dict[str, Any]] = {"lora": {"method": {"dropout": 0.2}}, "lokr": {"method": {"name": "lokr"}},
         "ia3": {"method": {"name": "ia3"}}, "seed 1": {"training": {"seed": 1}}, "seed 2": {"training": {"seed": 2}}}
# What makes a run fail, and what its reason must say.
FAILURES = {"no folder": "no folder", "no pictures": "no readable picture", "no checkpoint": "no checkpoint"}


@dataclass
class Trial:
    """A studio of its own, with a queue."""

    folder: Path
    chance: random.Random
    kinds: tuple[str, ...] = tuple(KINDS)
    expected: dict[int, str] = field(default_factory=dict)  # by the number of a run: its kind, or its failure

    @cached_property
    def loaded(self) -> Loaded:
        """The practice model, read once for all programs."""
        return Standalone(self.home).load(Checkpoint("toyland", BASE))

    def host(self, home: Path) -> Standalone:
        host = Standalone(home)
        host.ready = self.loaded
        return host

    @property
    def home(self) -> Path:
        return self.folder / "studio"

    def pictures(self) -> Path:
        folder = self.folder / "pictures"
        if not folder.exists():
            folder.mkdir(parents=True)
            for n in range(2):
                draw(Scene((Figure("ghost", "blue", "skull mask with goggles", "orange"),), "forest"),
                     random.Random(n)).save(folder / f"{n}.png")
                (folder / f"{n}.txt").write_text("a zwx ghost, forest", encoding="utf-8")
        return folder

    def run(self, kind: str, **sections: Any) -> Run:
        values: dict[str, Any] = {"output": {"name": "ghost"}, "base": {"checkpoint": "toyland"},
                  "concepts": [{"folder": str(self.pictures())}], "data": {"resolution": 64},
                  "method": {"name": "lora", "rank": 4, "skip_blocks": "IN03-OUT08"},
                  "training": {"steps": STEPS, "batch_size": 1, "checkpointing": False, "measure_every": 1000},
                  "saving": {"precision": "fp32", "autosave_minutes": 1e-9}, "previews": {"card": False}}
        return from_dict(merge_values(merge_values(values, KINDS.get(kind, {})), sections))

    def fork(self, home: Path, *arguments: str) -> int:
        """A fork of this process, which has imported everything, runs the command. Returns its number."""
        _ = self.loaded
        number = os.fork()
        if number:
            return number
        log = os.open(self.folder / "said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        autosave.SHARE = 1e9  # an autosave after each step
        studio.host = lambda: self.host(home)
        os._exit(cli.main([*arguments]))

    def alone(self, kind: str) -> dict[str, torch.Tensor]:
        """What a run of this kind learns without a queue."""
        home, file = self.folder / "alone" / kind, self.folder / "alone" / f"{kind}.toml"
        write_toml(file, to_dict(self.run(kind)))
        assert os.waitpid(self.fork(home, "train", str(file)), 0)[1] == 0, f"{kind} does not train"
        return learned(home, "ghost")

    def fill(self, count: int) -> None:
        """Adds so many runs; what some of them need is gone before they have their turn."""
        host = self.host(self.home)
        lost, empty = host.folders.checkpoints / "lost.safetensors", self.folder / "empty"
        lost.parent.mkdir(parents=True)
        empty.mkdir()
        shutil.copyfile(BASE, lost)
        broken: dict[str, dict[str, Any]] = {"no folder": {"concepts": [{"folder": str(self.folder / "gone")}]},
                  "no pictures": {"concepts": [{"folder": str(empty)}]},
                  "no checkpoint": {"base": {"checkpoint": str(lost)}}}
        for number in range(count):
            fails = self.chance.random() < FAILING
            kind = self.chance.choice(list(broken) if fails else self.kinds)
            run = self.run(kind, output={"name": f"ghost{number}"}, **(broken[kind] if fails else {}))
            self.expected[add_run(run, host, workspace_for(run, host)).id] = kind
        lost.unlink()

    def kill(self, kills: int, seconds: float) -> int:
        """Runs the queue and kills it so often, at random moments, seconds apart on average. Returns how often."""
        for done in range(kills):
            program, end = self.fork(self.home, "queue", "run"), time.monotonic() + self.chance.uniform(0, 2 * seconds)
            while time.monotonic() < end:
                if (ended := os.waitpid(program, os.WNOHANG)) != (0, 0):
                    assert os.waitstatus_to_exitcode(ended[1]) in (0, 1), "the queue's program ended by itself"
                    return done
                time.sleep(0.01)
            with suppress(ProcessLookupError):
                os.kill(program, signal.SIGKILL)
            os.waitpid(program, 0)
        os.waitpid(self.fork(self.home, "queue", "run"), 0)
        return kills

    def rows(self) -> list[Row]:
        return queue_of(folders(self.home)).rows()

    def faults(self) -> Iterator[str]:
        """What is not as it must be."""
        alone = {kind: self.alone(kind) for kind in {*self.expected.values()} & {*KINDS}}
        for row in self.rows():
            kind = self.expected.pop(row.id)
            if kind in FAILURES:
                if row.state != FAILED or FAILURES[kind] not in row.reason.lower():
                    yield f"{row.name} should have failed with {kind}: {row.state}, {row.reason}"
            elif row.state != DONE:
                yield f"{row.name} should be done: {row.state}, {row.reason}"
            elif not same(learned(self.home, row.name), alone[kind]):
                yield f"{row.name} differs from {kind} trained alone"
            elif (trained := Workspace(self.home / "workspaces" / row.workspace).lifetime) != STEPS:
                yield f"{row.name} was trained for {trained} steps"
        yield from (f"run {number} is lost" for number in self.expected)


def learned(home: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(home / "loras" / f"{name}.safetensors")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return bool(one) and one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def main(count: int = 100, kills: int = 30) -> int:
    with tempfile.TemporaryDirectory() as folder:
        trial, started = Trial(Path(folder), random.Random(21)), time.monotonic()
        trial.fill(count)
        done = trial.kill(kills, float(os.environ.get("SECONDS_BETWEEN", 4.0)))
        rows, seconds = trial.rows(), time.monotonic() - started
        runs = sum(len(Workspace(trial.home / "workspaces" / row.workspace).logs()) for row in rows)
        faults = list(trial.faults())
    found = {"runs": count, "kills": done, "states": dict(Counter(row.state for row in rows)), "starts": runs,
             "seconds": round(seconds), "faults": faults}
    print(json.dumps(found, indent=1))
    (ROOT / "docs" / "overnight.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
