"""A program that is killed at any moment: what it kept continues, and ends as if nothing had happened.

    KILLS=50 python -m pytest tests/runs/test_killed_standalone.py

kills each family of methods so many times; without it, one of them once.
"""

import os
import random
import signal
import time
from contextlib import suppress

import pytest
import torch
from eager import EAGER
from helpers import draw_pictures, small_run
from safetensors.torch import load_file

from extension_lib import __main__ as cli
from extension_lib.commands import studio
from extension_lib.config.run import to_dict
from extension_lib.hosts import standalone  # noqa: F401  before the forks: they need not import it
from extension_lib.support import toml
from extension_lib.workspaces.workspace import Workspace

KILLS = int(os.environ.get("KILLS", 0))
FAMILIES = ("lora", "lokr", "textual_inversion", "hypernetwork", "dreambooth", "pivotal") if KILLS else ("lora",)
STEPS = {"dreambooth": 30, "pivotal": 60, "textual_inversion": 200} if KILLS else {"lora": 20}  # others take 80
IN_A_CHAIN = 10  # kills of one run before it may end
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
INTERVAL = 0.5  # seconds between two autosaves
SLACK = 2.0  # seconds: a step, the write, and what the share of the time allows


class Program:
    """Darkroom's command line in a process and a studio of its own."""

    def __init__(self, folder, way):
        self.home, self.file, self.steps = folder / "studio", folder / "run.toml", STEPS.get(way, 80)
        word = {"concepts": [{"folder": str(draw_pictures(folder / "图片 pictures", 3)), "word": "zwx",
                              "instance_prompt": "[filewords]"}]}
        run = small_run(folder, method={"name": way, **EAGER[way]}, **word, data={"resolution": 64},
                        training={"steps": self.steps, "batch_size": 1},
                        saving={"precision": "fp32", "autosave_minutes": INTERVAL / 60})
        toml.write_toml(self.file, to_dict(run))
        self.workspace = Workspace(self.home / "workspaces" / "ghost")

    def start(self):
        """A fork of this process, which has imported everything, runs the command. Returns its number."""
        number = os.fork()
        if number == 0:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            studio.HOME = self.home
            os._exit(cli.main(["train", str(self.file), "--start", "continue-overwrite"]))
        return number

    def finish(self):
        assert os.waitpid(self.start(), 0)[1] == 0

    def kill_at(self, seconds, signal_=signal.SIGKILL):
        """Ends it so long after it began to train. Returns the log of its last run."""
        runs, program = len(self.workspace.logs()), self.start()
        while os.waitpid(program, os.WNOHANG) == (0, 0):
            lines = self.workspace.logs()[-1].read_lines() if len(self.workspace.logs()) > runs else []
            if any(line["what"] == "began" for line in lines):
                time.sleep(seconds)
                with suppress(ProcessLookupError):  # it may be done
                    os.kill(program, signal_)
                with suppress(ChildProcessError):
                    os.waitpid(program, 0)
                break
            time.sleep(0.02)
        return self.workspace.logs()[-1].read_lines()

    def is_done(self):
        """Whether it came to its end before it was killed; to continue it would begin another schedule."""
        newest = self.workspace.newest_state()
        return newest is not None and newest.step == self.steps and not self.workspace.files_missing

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
    wanted, moments, kills, chains = whole.outputs(), random.Random(way), 0, 0
    while kills < max(1, KILLS):
        program, chains = Program(tmp_path / f"chain {chains}", way), chains + 1
        for _ in range(min(KILLS, IN_A_CHAIN) or 1):
            lines = program.kill_at(moments.random() * 2)
            assert seconds_lost(lines) <= INTERVAL + SLACK
            if program.is_done():
                break
            kills += 1
        else:
            program.finish()
        assert wanted and same(program.outputs(), wanted)
    print(f"{way}: {kills} kills in {chains} runs")


def test_sigterm_keeps_the_last_whole_step(tmp_path):
    program = Program(tmp_path, "lora")
    lines = program.kill_at(0.5, signal.SIGTERM)
    assert lines[-1]["what"] == "ended" and lines[-1]["leaving"] and "SIGTERM" in lines[-1]["why"]
    assert program.workspace.newest_state().step == lines[-1]["step"] > 0


