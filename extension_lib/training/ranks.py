"""Ranks: several processes that train one run together, each on its share of every batch.

A launcher (accelerate's, torchrun) starts them and tells each its number in variables. Number 0 leads: it prepares,
decides, saves, shows and checks. The others follow: between two steps they wait for what it says.
"""

import logging
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

from ..config.run import Run
from ..data.plan import Share
from ..errors import DarkroomError
from ..events import Ended
from ..host import Checkpoint
from ..settings import SettingError
from ..workspaces.workspace import Workspace

ANSWER = timedelta(minutes=20)  # for a step and for the slowest graphics card in it; then another process is given up
PATIENCE = timedelta(days=1)  # while number 0 prepares, draws or saves; that a process was killed shows at once
BUCKET = 2**24  # numbers of gradients that are added up at once
STEP = "step"
SPLITTING = {"ACCELERATE_USE_FSDP": "FSDP", "ACCELERATE_USE_DEEPSPEED": "DeepSpeed",
             "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM"}
FROM_OUTSIDE = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")

log = logging.getLogger("darkroom")


class RankError(DarkroomError, RuntimeError):
    """The processes of a run cannot go on together."""


@dataclass(frozen=True)
class Task:
    """A run that number 0 has prepared. facts: by name, what must be the same for all who train on it."""

    run: Run
    workspace: Workspace
    checkpoint: Checkpoint
    restart: bool
    facts: Mapping[str, object]


class Ranks:
    """This process alone; the methods of several together do nothing here."""

    share = Share()

    @property
    def leads(self) -> bool:
        return self.share.rank == 0

    @property
    def together(self) -> bool:
        return self.share.count > 1

    def shown(self, run: Run) -> str:
        """How many pictures a step learns from."""
        size, batches, count = run.training.batch_size, run.training.accumulation, self.share.count
        each = f"{size} pictures" if batches == 1 else f"{batches} batches of {size} pictures"
        return f"{count} processes train together, each on {each} in a step: {count * size * batches} in all."

    def begin(self, task: Task) -> None:
        """Number 0 tells the others what it trains; returns when all are ready for the first step."""

    def announce_step(self) -> None:
        """Number 0 says that a step is next."""

    def hear(self) -> Any:
        """What number 0 says next: a Task, STEP or Ended. It waits for that."""
        raise NotImplementedError("Number 0 hears nobody.")

    def add_up(self, weights: Sequence[Tensor], numbers: Sequence[float]) -> list[float]:
        """The sums of these numbers over all processes; each gradient becomes their sum too."""
        return list(numbers)

    def end(self, ended: Ended) -> None:
        """Number 0 says that the run is over; later calls say nothing."""


ALONE = Ranks()


class Group(Ranks):
    """One of several processes. Gradients are added up by the graphics cards' own library, all else on the CPU."""

    def __init__(self, rank: int, count: int):
        self.share = Share(rank, count)
        cards = torch.cuda.is_available() and dist.is_nccl_available()
        dist.init_process_group("cpu:gloo,cuda:nccl" if cards else "gloo", timeout=ANSWER)
        self.waiting = dist.new_group(backend="gloo", timeout=PATIENCE)
        self.told: Task | None = None  # by number 0
        self.stepping = self.over = False  # stepping: whether the others are in a step, and do not listen

    def tell(self, what: Any) -> Any:
        """Number 0's object, in every process."""
        box = [what]
        with self.others_needed():
            dist.broadcast_object_list(box, src=0, group=self.waiting, device=torch.device("cpu"))
        return box[0]

    def wait_for_all(self) -> None:
        with self.others_needed():
            dist.barrier(group=self.waiting)

    @contextmanager
    def others_needed(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # torch has no narrower one for all of its libraries
            log.debug("%s", error)
            raise RankError(f"Process {self.share.rank} cannot go on: another of the {self.share.count} processes has "
                            f"ended, or has not answered for {ANSWER.seconds // 60} minutes. Its own lines say why; "
                            "started again, the run continues where it was last saved.") from error

    def hear(self) -> Any:
        told = self.tell(None)
        if isinstance(told, Task):
            self.told = told
        elif isinstance(told, Ended):
            self.part()
        return told

    def part(self) -> None:
        self.wait_for_all()  # so that nobody is gone before all have heard it
        dist.destroy_process_group()

    def begin(self, task: Task) -> None:
        told = self.told or self.tell(task)
        differing = [name for name in task.facts if task.facts[name] != told.facts[name]]
        if differing:
            raise RankError(f"Process {self.share.rank} differs from process 0 in its {' and '.join(differing)}. All "
                            "must see the same folders, and have the same kind of graphics card.")
        self.wait_for_all()

    def announce_step(self) -> None:
        self.tell(STEP)
        self.stepping = True

    def add_up(self, weights: Sequence[Tensor], numbers: Sequence[float]) -> list[float]:
        """A weight without a gradient in some processes has those of the others; without any it stays so."""
        summed = torch.tensor([*numbers, *(weight.grad is not None for weight in weights)], dtype=torch.float64)
        with self.others_needed():
            dist.all_reduce(summed)
        for bucket in buckets([w for w, holders in zip(weights, summed[len(numbers):].tolist()) if holders]):
            self.add_up_gradients(bucket)
        self.stepping = False
        return summed[:len(numbers)].tolist()

    def add_up_gradients(self, weights: Sequence[Tensor]) -> None:
        flat = torch.cat([(torch.zeros_like(w) if w.grad is None else w.grad).flatten().float() for w in weights])
        with self.others_needed():
            dist.all_reduce(flat)
        for weight, part in zip(weights, flat.split([w.numel() for w in weights])):
            weight.grad = part.view(weight.shape).to(weight.dtype) if weight.grad is None else weight.grad.copy_(
                part.view(weight.shape))

    def end(self, ended: Ended) -> None:
        if not self.over and not self.stepping:  # in a step they see that this process is gone
            with suppress(RankError):
                self.tell(ended)
                self.part()
        self.over = True


def buckets(weights: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Weights of one device in groups of at most BUCKET numbers, or alone."""
    bucket: list[Tensor] = []
    for weight in weights:
        if bucket and sum(w.numel() for w in bucket) + weight.numel() > BUCKET:
            yield bucket
            bucket = []
        bucket.append(weight)
    if bucket:
        yield bucket


def joined() -> Ranks:
    """This process among those that a launcher has started. Raises SettingError, RankError.

    It must come before anything asks for a graphics card: each process sees its own alone.
    """
    given = os.environ
    count = int(given.get("WORLD_SIZE", 1)) if "RANK" in given and "LOCAL_RANK" in given else 1
    if count == 1:
        return Ranks()
    if not dist.is_available():
        raise SettingError("This version of torch cannot train with several processes. Start one.")
    for name, title in SPLITTING.items():
        if given.get(name, "").lower() == "true":
            raise SettingError(f"accelerate is set up for {title}, which splits the model, but each process trains "
                               f"with a whole one. Run 'accelerate config' and answer no to {title}.")
    on_cpu = given.get("ACCELERATE_USE_CPU", "").lower() == "true"
    visible = "" if on_cpu else given.get("CUDA_VISIBLE_DEVICES")
    given["CUDA_VISIBLE_DEVICES"] = own_card(visible, int(given["LOCAL_RANK"]))
    rank = int(given["RANK"])
    for name in FROM_OUTSIDE if rank else ():  # number 0 hears them too, and says when to end
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    return Group(rank, count)


def own_card(visible: str | None, local_rank: int) -> str:
    """Of the graphics cards that a launcher lets its processes see."""
    if visible is None:
        return str(local_rank)
    cards = visible.split(",") if visible else []
    if cards and local_rank >= len(cards):
        raise SettingError(f"There are more processes than graphics cards ({len(cards)}). Start one for each.")
    return cards[local_rank] if cards else ""
