"""Two processes that train one run: they equal one with twice the batch, and end clearly when one of them is killed."""

import json
import os
import signal
import socket
import sys
import time
from dataclasses import replace

import pytest
import torch
from helpers import draw_pictures, small_run
from safetensors.torch import load_file

from extension_lib import __main__ as cli
from extension_lib.commands import studio
from extension_lib.config.optimizers import OPTIMIZERS
from extension_lib.config.run import to_dict
from extension_lib.data.plan import PlannedBatch, Share
from extension_lib.events import Ended
from extension_lib.host import find_checkpoint
from extension_lib.hosts.standalone import Loaded, Standalone
from extension_lib.models import frozen
from extension_lib.runs import session  # noqa: F401  before the forks: they need not import it
from extension_lib.runs.state import read_state
from extension_lib.support import toml
from extension_lib.training import ranks
from extension_lib.workspaces.workspace import Workspace

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
STEPS = 20
SGD = replace(OPTIMIZERS["AdamW"], made_by="torch.optim:SGD", betas=(), epsilon=False)
# The last batch of an epoch has one picture, so that one process has none of it.
LEARNED = {"prior": {"preserve": True, "weight": 0.5}, "noise": {"noise_offset": 0.1},
           "method": {"rank": 4, "alpha": 4, "unet_rate": 2e-3, "text_rate": 0, "skip_blocks": "IN00-OUT07"},
           "training": {"steps": STEPS, "schedule": "constant", "warmup": 0, "clip": 0.05, "checkpointing": False,
                        "measure_every": 10**6}}
FAR = {"method": {**LEARNED["method"], "unet_rate": 1.0}}  # SGD's steps, so that they are as long


class Launched:
    """Runs of the command line in forks of this process, which has loaded the model."""

    def __init__(self, folder, view, before, **sections):
        self.home, self.file = folder / "studio", folder / "run.toml"
        concept = {"folder": str(draw_pictures(folder / "pictures", 3)), "class_prompt": "a ghost",
                   "class_folder": str(draw_pictures(folder / "class", 2))}
        run = small_run(folder, concepts=[concept], saving={"precision": "fp32"}, **{**LEARNED, **sections})
        toml.write_toml(self.file, to_dict(run))
        self.workspace, self.view = Workspace(self.home / "workspaces" / "ghost"), view
        self.before = before  # fingerprints of the model's weights

    def command(self, *more):
        host = Standalone(self.home)
        host.ready = Loaded(find_checkpoint(host, "toyland"), self.view)
        studio.host, frozen.checksum = lambda: host, lambda states: self.before
        return cli.main(["train", str(self.file), "--start", "continue-overwrite", *more])

    def start(self, count, *more, change=lambda: None):
        """Returns the processes' numbers."""
        return fork(self.home.parent, count, lambda: (change(), self.command(*more))[1])

    def finish(self, count, *more, change=lambda: None):
        assert statuses(self.start(count, *more, change=change)) == [0] * count, said(self.home.parent, 0)
        return self

    def lines(self, what):
        logs = self.workspace.logs()
        return [line for line in logs[-1].read_lines() if line["what"] == what] if logs else []

    @property
    def losses(self):
        return [(line["loss"], line["class_loss"]) for line in self.lines("step")]

    def wait_for_steps(self, count, runs=1):
        while len(self.workspace.logs()) < runs or len(self.lines("step")) < count:
            time.sleep(0.02)


def fork(folder, count, work):
    """Processes as torchrun starts them; what they say goes to files."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    numbers = []
    for rank in range(count):
        numbers.append(os.fork())
        if numbers[-1] == 0:
            sys.stdout = sys.stderr = (folder / f"said {rank}").open("w", encoding="utf-8")
            os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1",
                              MASTER_PORT=str(port), ACCELERATE_USE_CPU="true")
            os._exit(work() or 0)
    return numbers


def statuses(numbers):
    return [os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) for number in numbers]


def said(folder, rank):
    return (folder / f"said {rank}").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def launched(tmp_path_factory, view, weights_before):
    return lambda **sections: Launched(tmp_path_factory.mktemp("launched"), view, weights_before, **sections)


def of_batch(size, **settings):
    return {"training": {**LEARNED["training"], "batch_size": size, **settings}}


def use_sgd():
    OPTIMIZERS["AdamW"] = SGD


@pytest.fixture(scope="module")
def alone(launched):
    return launched(**of_batch(2), **FAR).finish(1, change=use_sgd)


def test_two_processes_equal_one_with_twice_the_batch(launched, alone):
    pair = launched(**of_batch(1), **FAR).finish(2, change=use_sgd)
    assert torch.tensor(pair.losses).sub(torch.tensor(alone.losses)).abs().max() < 1e-5 and len(pair.losses) == STEPS
    own, theirs = (read_state(one.workspace.state)["trained"] for one in (pair, alone))
    assert own.keys() == theirs.keys() and max((own[name] - theirs[name]).abs().max() for name in own) < 1e-5
    assert "2 processes train together, each on 1 pictures in a step: 2 in all." in said(pair.home.parent, 0)
    assert said(pair.home.parent, 1) == ""


def equal_noise():
    places = PlannedBatch.places
    PlannedBatch.places = lambda batch, share: places(batch, Share(0, share.count))[:len(places(batch, share))]


def equal_pictures():
    shared = PlannedBatch.shared
    PlannedBatch.shared = lambda batch, share: shared(batch, Share(0, share.count))


@pytest.mark.parametrize("spoil", [equal_noise, equal_pictures])
def test_equal_noise_or_equal_pictures_in_both_would_show(launched, alone, spoil):
    spoiled = launched(**of_batch(1, steps=1), **FAR).finish(2, change=spoil)
    assert abs(spoiled.losses[0][0] - alone.losses[0][0]) > 1e-4


def test_when_one_is_killed_the_other_ends_and_the_run_goes_on_later(launched):
    """What was saved then, with AdamW and accumulation, is what one process learns with twice the batch."""
    pair = launched(**of_batch(1, steps=1000, accumulation=2))
    folder, (first, second) = pair.home.parent, pair.start(2)
    pair.wait_for_steps(3)
    os.kill(second, signal.SIGKILL)
    assert statuses([first, second]) == [1, -signal.SIGKILL]
    assert "another of the 2 processes has ended" in said(folder, 0) and "Traceback" not in said(folder, 0)
    ended, = pair.lines("ended")
    assert ended["failed"] and pair.workspace.newest_state().step == ended["step"] >= 3
    one = launched(**of_batch(2, steps=ended["step"], accumulation=2)).finish(1)
    wanted, own = (deltas(load_file(made.home / "loras" / "ghost.safetensors")) for made in (one, pair))
    assert (own - wanted).norm() < 1e-3 * wanted.norm()

    first, second = pair.start(2)
    pair.wait_for_steps(1, runs=2)
    assert pair.lines("began")[0]["start"] == ended["step"]
    os.kill(first, signal.SIGKILL)
    assert statuses([first, second]) == [-signal.SIGKILL, 2]
    assert said(folder, 1).count("another of the 2 processes has ended") == 1 and "Traceback" not in said(folder, 1)
    assert pair.workspace.newest_state().step == ended["step"]


def deltas(file):
    ups = [name for name in file if name.endswith(".lora_up.weight")]
    pairs = [(file[up].flatten(1), file[up.replace("lora_up", "lora_down")].flatten(1)) for up in ups]
    return torch.cat([(up @ down).flatten() for up, down in pairs])


def test_gradients_add_up_also_where_some_have_none(tmp_path):
    def work():
        group = ranks.joined()
        weights = [torch.nn.Parameter(torch.zeros(2, dtype=dtype)) for dtype in (torch.float32, torch.bfloat16,
                                                                                torch.float32, torch.float32)]
        weights[0].grad = torch.tensor([1.0, 2.0])
        if not group.leads:
            weights[1].grad, weights[3].grad = torch.ones(2, dtype=torch.bfloat16), torch.tensor([float("nan"), 1])
        numbers = group.add_up(weights, [group.share.rank + 1.0])
        print(json.dumps([numbers, [w.grad if w.grad is None else w.grad.tolist() for w in weights]]), flush=True)

    assert statuses(fork(tmp_path, 2, work)) == [0, 0]
    one, other = (json.loads(said(tmp_path, rank).splitlines()[-1]) for rank in range(2))
    assert str(one) == str(other) == "[[3.0], [[2.0, 4.0], [1.0, 1.0], None, [nan, 1.0]]]"


@pytest.mark.parametrize("fact, expected", [(lambda rank: 0, ["", "over"]), (lambda rank: rank, [
    "another of the 2 processes has ended", "Process 1 differs from process 0 in its pictures"])])
def test_processes_that_see_other_pictures_do_not_begin(tmp_path, fact, expected):
    def work():
        group = ranks.joined()
        task = ranks.Task(None, None, None, False, {"pictures": fact(group.share.rank), "state": 3})
        try:
            if group.leads:
                group.begin(task)
                group.end(Ended(0, "over"))
            else:
                group.hear()
                group.begin(task)
                print(group.hear().why, flush=True)
        except ranks.RankError as error:
            print(error, flush=True)

    statuses(fork(tmp_path, 2, work))
    assert all(sentence in said(tmp_path, rank) for rank, sentence in enumerate(expected))


def test_each_process_sees_the_graphics_card_that_is_its_own():
    assert [ranks.own_card(*given) for given in ((None, 1), ("2,5", 1), ("", 0))] == ["1", "5", ""]
    with pytest.raises(ranks.SettingError, match="more processes than graphics cards"):
        ranks.own_card("2,5", 2)


@pytest.mark.parametrize("variable, title", ranks.SPLITTING.items())
def test_a_launcher_that_would_split_the_model_is_refused(monkeypatch, variable, title):
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", variable: "true"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ranks.SettingError, match=title):
        ranks.joined()
