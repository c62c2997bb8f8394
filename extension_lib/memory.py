"""How much memory is used, and what to do when it is not enough."""

import ctypes
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import torch

from .config.optimizers import OPTIMIZERS
from .config.run import Run, Training
from .families.family import Family
from .families.sd1 import SD1
from .methods.in_bf16 import has_bf16
from .model import Model
from .settings import options

GIB, MIB = 2**30, 2**20
FULL = 0.03  # of a graphics card's memory is free at most where it counts as full
IN_BF16 = {"method": {"bf16": True}}
SMALLER_OPTIMIZERS = "AdamW 8 bit", "Adafactor"


def free_cache() -> None:
    """Returns freed memory, which torch and the C library keep, to the system; of C libraries only glibc can do so."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        with suppress(AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def usage_text(device: torch.device) -> str:
    """A sentence part for people."""
    if device.type == "cuda":
        return f"{usage(device)} of the graphics card's memory are in use"
    return f"{usage(device)} of memory are in use"


def usage(device: torch.device | None = None) -> str:
    """"11.2 of 12.0 GiB": of this device; without one, of the GPU or else of the main memory."""
    if device.type == "cuda" if device else torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info(device)
        return f"{(total - free) / GIB:.1f} of {total / GIB:.1f} GiB"
    import psutil

    memory = psutil.virtual_memory()
    return f"{(memory.total - memory.available) / GIB:.1f} of {memory.total / GIB:.1f} GiB"


def free(device: torch.device) -> int:
    """Bytes that a program can still have; what torch has kept for itself counts as free."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    import psutil

    return psutil.virtual_memory().available


def is_full() -> bool:
    """Whether hardly anything is free on the graphics card; never so without one."""
    if not torch.cuda.is_available():
        return False
    free, total = torch.cuda.mem_get_info()
    return free < FULL * total


def amount(size: int) -> str:
    """Of bytes, for people."""
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / MIB:.0f} MiB"


def reached(device: torch.device) -> int:
    """The most bytes that this program has had there; in the main memory, what it has now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import psutil

    return psutil.Process().memory_info().rss


@dataclass(frozen=True)
class Remedy:
    """A change with which a run needs less memory: what a person does, and the settings that it changes."""

    text: str
    cost: str  # in time and otherwise
    price: int  # to sort by
    values: Mapping[str, Mapping[str, Any]]


def remedies(run: Run, family: Family = SD1, model: Model | None = None) -> list[Remedy]:
    """As far as they change anything, those that usually save most for least first. model: the one it trains, where
    that is known."""
    training, data = run.training, run.data
    found = list(one_by_one(run, model))
    if not training.checkpointing:
        found.append(Remedy("switch gradient checkpointing on (about half the memory)",
                            "steps take about a third longer", 2, {"training": {"checkpointing": True}}))
    if training.batch_size > 1:
        found.append(smaller_batch(training))
    if data.resolution > family.resolution:
        found.append(Remedy(f"lower the resolution from {data.resolution} to {family.resolution}",
                            "faster, but finer details are not learned", 5,
                            {"data": {"resolution": family.resolution}}))
    if not (training.offload or run.method.trains_model):
        found.append(Remedy("keep the UNet's blocks in the system's memory", "steps take longer", 4,
                            {"training": {"offload": True}}))
    rates = {option.name for option in options(run.method) if option.name.startswith("text_rate")}
    if rates and any(run.method.rates.get(part, 0.0) > 0 for part in family.text_parts):
        found.append(Remedy("start over with the text encoder's rate at 0, which also moves it off the graphics card",
                            "faster, but prompts are followed a little less", 3,
                            {"method": dict.fromkeys(rates, 0.0)}))
    for name in SMALLER_OPTIMIZERS:
        kind = OPTIMIZERS[name]
        if kind.state < training.optimizer_kind.state and find_spec(kind.module.partition(".")[0]):
            found.append(Remedy(f"choose {name} as the optimizer", "as fast", 0 if kind.package else 6,
                                {"training": {"optimizer": name, "betas": "", "epsilon": 0.0}}))
    return found


def smaller_batch(training: Training) -> Remedy:
    """With gradients that are kept, as many pictures count in a step as before."""
    if training.in_backward:
        return Remedy(f"lower the batch size from {training.batch_size} to 1", "faster, but learning is less steady", 3,
                      {"training": {"batch_size": 1}})
    return Remedy(f"lower the batch size from {training.batch_size} to 1 and raise gradient accumulation instead",
                  "steps take a little longer", 1, {"training": {
                      "batch_size": 1, "accumulation": training.accumulation * training.batch_size}})


def one_by_one(run: Run, model: Model | None) -> Iterator[Remedy]:
    """For methods that train whole matrices, which can be updated one by one. Each sets all that it needs."""
    training, method = run.training, run.method
    if not (any(option.name == "bf16" for option in options(method)) and training.optimizer_kind.one_by_one):
        return
    needed = {name: getattr(training, name) for name in ("optimizer", "betas", "epsilon")}
    in_bf16 = run.with_values(IN_BF16).method if model is None or has_bf16(model.device) else method
    in_fp16 = (model is None or model.compute == torch.float16) and not method.computes_in_bf16
    if in_bf16 != method:
        yield Remedy("train in bf16 with stochastic rounding", "as fast", 1,
                     {"training": needed, **IN_BF16})
    if not training.in_backward and (not in_fp16 or in_bf16.computes_in_bf16):
        said = (("update weights during the backward pass", "gradients are clipped weight by weight", 0)
                if training.accumulation == 1 else
                ("update weights during the backward pass, after each batch", "faster, but learning is less steady", 3))
        yield Remedy(*said, {"training": {**needed, "in_backward": True, "accumulation": 1},
                             **(IN_BF16 if in_fp16 else {})})


def advice(run: Run, family: Family = SD1, model: Model | None = None) -> str:
    """What to change so that the run needs less memory, the cheapest first."""
    last = f"lower the resolution below {run.data.resolution}, or close other programs that use the graphics card"
    return "; ".join([*(remedy.text for remedy in remedies(run, family, model)), last][:3])
