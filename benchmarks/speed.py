"""How long a step of each method takes, and how much memory, beside the same methods of others in the same run.

PYTHONPATH=. python -m benchmarks.speed [sd1|sdxl] [fp32|bf16] [rounds] [memory | METHOD...]

A UNet of full size with random weights, 256 pixels, attention and MLP layers, rank 8. A step is forward and backward.
Steps of all contestants are interleaved, those of one method next to each other, and every other round goes backwards,
so that a machine that slows down slows them all; a figure is a median over rounds. With methods, only those and our
LoRA take part. With KOHYA_DIR, the folder of kohya's scripts, its module takes part. With "memory", each contestant
takes two steps with AdamW and gradient checkpointing in a process of its own instead; memory is the peak of RssAnon
above that of the loaded model, looked at every 50 ms. On a card (DEVICE=cuda) it is what torch has allocated at most.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from extension_lib.models.diffusers_view import DiffusersView
from extension_lib.support.disk import write_text
from extension_lib.training.checkpointing import gradient_checkpointing

from .contestants import FAMILIES, Contestant, contestants, random_view
from .fresh import GIB, measured, memory_of

OUT = Path(__file__).resolve().parents[1] / "docs" / "speed.json"
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
DEVICE = torch.device(os.environ.get("DEVICE", "cpu"))
PIXELS = 256
FORWARD, TEXT, OUR_LORA = "forward", "Textual Inversion", "Darkroom: LoRA"


def batch(view: DiffusersView) -> dict[str, Any]:
    """What the UNet is given: one picture of PIXELS."""
    width = view.unet.config.cross_attention_dim
    xl = view.family.name == "sdxl"
    return {"noisy": torch.randn(1, 4, PIXELS // 8, PIXELS // 8, device=DEVICE),
            "t": torch.tensor([500], device=DEVICE), "hidden": torch.randn(1, 77, width, device=DEVICE),
            "pooled": torch.randn(1, 1280, device=DEVICE) if xl else None,
            "sizes": torch.tensor([[PIXELS, PIXELS, 0, 0, PIXELS, PIXELS]], device=DEVICE) if xl else None}


def forward(view: DiffusersView, given: dict[str, Any]) -> torch.Tensor:
    with view.autocast():
        return view.call_unet(**given).float()


def step(view: DiffusersView, given: dict[str, Any], method: str) -> None:
    if method == TEXT:
        given = {**given, "hidden": view.encode_prompts(["a photo of zwx"]).hidden}
    forward(view, given).square().mean().backward()


def timed(work: Callable[[], Any]) -> float:
    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


def wait() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def step_seconds(view: DiffusersView, given: dict[str, Any], one: Contestant) -> float:
    """Of a second step; the first makes what torch keeps for later ones."""
    with one.attach(view) as trained:
        step(view, given, one.method)
        taken = timed(lambda: step(view, given, one.method))
        for p in trained:
            p.grad = None
    return taken


def forward_seconds(view: DiffusersView, given: dict[str, Any]) -> float:
    with torch.no_grad():
        forward(view, given)
        return timed(lambda: forward(view, given))


def taking_part(family: str) -> list[Contestant]:
    return [one for one in contestants("KOHYA_DIR" in os.environ) if family == "sd1" or one.method != TEXT]


def compare_speed(family: str, precision: str, rounds: int, methods: list[str]) -> dict[str, Any]:
    view = random_view(FAMILIES[family], PRECISIONS[precision], DEVICE, text=family == "sd1")
    given = batch(view)
    wanted = [one for one in taking_part(family) if not methods or one.method in methods or one.title == OUR_LORA]
    in_order = sorted(wanted, key=lambda one: one.method)
    seconds: dict[str, list[float]] = {}
    for number in range(rounds):
        seconds.setdefault(FORWARD, []).append(forward_seconds(view, given))
        for one in reversed(in_order) if number % 2 else in_order:
            seconds.setdefault(one.title, []).append(step_seconds(view, given, one))
        print(f"round {number + 1} of {rounds}", flush=True)
    return {"rounds": rounds,
            "forwards": {name: ratio(own, seconds[FORWARD]) for name, own in seconds.items() if name != FORWARD},
            "of Darkroom's LoRA": {name: ratio(own, seconds[OUR_LORA]) for name, own in seconds.items()},
            "seconds": {name: round(statistics.median(own), 3) for name, own in seconds.items()}}


def ratio(ours: list[float], others: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(ours, others)), 3)


def checkpointed(view: DiffusersView, who: str) -> AbstractContextManager[None]:
    """Gradient checkpointing: ours, or diffusers' own for the others."""
    if who == "Darkroom":
        return gradient_checkpointing(view, True)
    view.unet.enable_gradient_checkpointing()
    view.unet.train()
    return nullcontext()


def two_steps(family: str, precision: str, title: str) -> dict[str, Any]:
    """Memory in bytes before and, on a card, at most; seconds until the first step is done."""
    one = next(one for one in taking_part(family) if one.title == title)
    view = random_view(FAMILIES[family], PRECISIONS[precision], DEVICE, text=one.method == TEXT)
    given, own = batch(view), memory_of("self") if DEVICE.type == "cpu" else torch.cuda.memory_allocated()
    began = time.perf_counter()
    with checkpointed(view, one.who), one.attach(view) as trained:
        optimizer = torch.optim.AdamW(trained)
        step(view, given, one.method)
        optimizer.step()
        first = time.perf_counter() - began
        optimizer.zero_grad()
        step(view, given, one.method)
        optimizer.step()
    found = {"own": own, "first": round(first, 2)}
    return found if DEVICE.type == "cpu" else {**found, "allocated": torch.cuda.max_memory_allocated()}


def compare_memory(family: str, precision: str) -> dict[str, Any]:
    facts = {}
    for one in taking_part(family):
        if one.method == "DreamBooth":
            continue  # benchmarks/dreambooth.py
        found = measured("benchmarks.speed", family, precision, "of", one.title)
        above = found.get("allocated", found["peak"]) - found["own"]
        facts[one.title] = {"GiB above the model": round(above / GIB, 3), "seconds to the first step": found["first"]}
        print(f"{one.title:30} {facts[one.title]}", flush=True)
    return facts


def main(arguments: list[str]) -> int:
    family, precision, rounds, *rest = [*arguments, *["sd1", "fp32", "10"][len(arguments):]]
    if rounds == "of":
        print(json.dumps(two_steps(family, precision, rest[0])))
        return 0
    name = f"{family} {precision}"
    facts = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    if rest == ["memory"]:
        facts.setdefault("memory", {})[name] = compare_memory(family, precision)
    else:
        key = " ".join([name, *rest])
        facts.setdefault("speed", {})[key] = compare_speed(family, precision, int(rounds), rest)
        for title, times in facts["speed"][key]["forwards"].items():
            print(f"{title:30} {times:.2f} forwards")
    facts["machine"] = {"threads": torch.get_num_threads(), "torch": torch.__version__, "device": DEVICE.type}
    write_text(OUT, json.dumps(facts, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
