"""How much memory is used, and what to do when it is not enough."""

import ctypes
import sys
from contextlib import suppress

import torch

from .config.run import Run
from .families.family import Family
from .families.sd1 import SD1

GIB = 2**30


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


def advice(run: Run, family: Family = SD1) -> str:
    """What to change so that the run needs less memory, the cheapest first."""
    ideas = []
    if not run.training.checkpointing:
        ideas.append("switch gradient checkpointing on (about half the memory)")
    if run.training.batch_size > 1:
        size = run.training.batch_size
        ideas.append(f"lower the batch size from {size} to 1 and raise gradient accumulation instead")
    if run.data.resolution > family.resolution:
        ideas.append(f"lower the resolution from {run.data.resolution} to {family.resolution}")
    if any(run.method.rates.get(part, 0.0) > 0 for part in family.text_parts):
        ideas.append("start over with the text encoder's rate at 0, which also moves it off the graphics card")
    ideas.append(f"lower the resolution below {run.data.resolution}, or close other programs that use the graphics "
                 "card")
    return "; ".join(ideas[:3])
