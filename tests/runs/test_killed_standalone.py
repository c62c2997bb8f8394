"""A program that is killed at any moment: what it kept continues, and ends as if nothing had happened.

    KILLS=50 python -m pytest tests/runs/test_killed_standalone.py

kills each family of methods so many times; without it, one of them once.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
import torch
from eager import EAGER
from helpers import ROOT, draw_pictures, small_run
from safetensors.torch import load_file

from extension_lib.config.run import to_dict
from extension_lib.support import toml
from extension_lib.workspaces.workspace import Workspace

KILLS = int(os.environ.get("KILLS", 0))
FAMILIES = ("lora", "lokr", "textual_inversion", "hypernetwork", "dreambooth", "pivotal") if KILLS else ("lora",)
STEPS = {"dreambooth": 30, "pivotal": 60} if KILLS else {"lora": 20}  # others take 80
IN_A_CHAIN = 10  # kills of one run before it may end
INTERVAL = 0.5  # seconds between two autosaves
SLACK = 2.0  # seconds: a step, the write, and what the share of the time allows


class Program:
    """Darkroom's command line in a process of its own, in a studio of its own."""

    def __init__(self, folder, way):
        self.home, self.file = folder / "studio", folder / "run.toml"
        word = {"concepts": [{"folder": str(draw_pictures(folder / "图片 pictures", 3)), "word": "zwx",
                              "instance_prompt": "[filewords]"}]}
        run = small_run(folder, method={"name": way, **EAGER[way]}, **word, data={"resolution": 64},
                        training={"steps": STEPS.get(way, 80), "batch_size": 1},
                        saving={"precision": "fp32", "autosave_minutes": INTERVAL / 60})
        toml.write_toml(self.file, to_dict(run))
        self.workspace = Workspace(self.home / "workspaces" / "ghost")

    def start(self):
        return subprocess.Popen([sys.executable, "-m", "extension_lib", "train", str(self.file), "--start",
                                 "continue-overwrite"], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                env={**os.environ, "DARKROOM_HOME": str(self.home), "OMP_NUM_THREADS": "1"})

    def finish(self):
        program = self.start()
        said = program.communicate(timeout=300)[1].decode("utf-8", "replace")
        assert program.returncode == 0, said

    def kill_at(self, share, number=signal.SIGKILL):
        """Ends it this share of a second or so after it began to train. Returns the log of its last run."""
        runs, program = len(self.workspace.logs()), self.start()
        while program.poll() is None:
            lines = self.workspace.logs()[-1].read_lines() if len(self.workspace.logs()) > runs else []
            if any(line["what"] == "began" for line in lines):
                time.sleep(share)
                break
            time.sleep(0.02)
        program.send_signal(number)
        program.communicate(timeout=60)
        return self.workspace.logs()[-1].read_lines()

    def outputs(self):
        """The tensors of every file that it saved, by the file's name."""
        files = [path for kind in ("loras", "embeddings", "hypernetworks", "checkpoints")
                 for path in (self.home / kind).rglob("*") if path.suffix in (".safetensors", ".pt")]
        return {path.name: load_file(path) if path.suffix == ".safetensors" else flat(path) for path in files}


def flat(path):
    """A hypernetwork's tensors."""
    held = torch.load(path, weights_only=True)
    return {f"{size}.{n}.{name}": tensor for size, pair in held.items() if isinstance(size, int)
            for n, state in enumerate(pair) for name, tensor in state.items()}


def seconds_lost(lines):
    """Between the last state that was kept and the last step."""
    steps = [line["time"] for line in lines if line["what"] == "step"]
    kept = [line["time"] for line in lines if line["what"] in ("kept", "began")]
    return steps[-1] - kept[-1] if steps else 0.0


def same(one, other):
    return one.keys() == other.keys() and all(
        one[file].keys() == other[file].keys() and all(torch.equal(one[file][key], other[file][key])
                                                       for key in one[file]) for file in one)


@pytest.mark.parametrize("way", FAMILIES)
def test_however_often_it_is_killed_it_ends_bit_for_bit_as_if_it_had_not_been(tmp_path, way):
    whole = Program(tmp_path / "whole", way)
    whole.finish()
    wanted, moments, kills = whole.outputs(), random.Random(way), 0
    for chain in range(max(1, KILLS // IN_A_CHAIN)):
        program = Program(tmp_path / f"chain {chain}", way)
        for _ in range(min(KILLS, IN_A_CHAIN) or 1):
            lines = program.kill_at(moments.random() * 2)
            assert seconds_lost(lines) <= INTERVAL + SLACK
            kills += 1
        program.finish()
        assert wanted and same(program.outputs(), wanted)
    print(f"{way}: {kills} kills")


def test_sigterm_keeps_the_last_whole_step(tmp_path):
    program = Program(tmp_path, "lora")
    lines = program.kill_at(0.5, signal.SIGTERM)
    assert lines[-1]["what"] == "ended" and lines[-1]["leaving"] and "SIGTERM" in lines[-1]["why"]
    assert program.workspace.newest_state().step == lines[-1]["step"] > 0


