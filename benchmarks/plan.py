"""The planned memory of many runs beside the measured: `python -m benchmarks.plan [FOLDER]`.

On a CPU, tiny checkpoints of each family are made and the storages of all tensors are counted. On a graphics card,
what torch has allocated at most is measured, with the tiny checkpoints and with every .safetensors in FOLDER. Writes
docs/memory.json, and on a CPU the table in docs/memory.md.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from extension_lib.config.optimizers import OPTIMIZERS
from extension_lib.config.run import Run, from_dict, new_words_of
from extension_lib.data.batches import Batches
from extension_lib.data.folder import Item, find_all_pictures
from extension_lib.events import Event
from extension_lib.methods.base import NewWord
from extension_lib.models.diffusers_view import DiffusersView, load_view
from extension_lib.models.frozen import frozen
from extension_lib.support.disk import write_text
from extension_lib.support.live import LiveTensors
from extension_lib.training.checkpointing import gradient_checkpointing
from extension_lib.training.loop import take_step
from extension_lib.training.memory_plan import MemoryPlan, memory_plan
from extension_lib.training.optimizer import Optimizer

from .cells import DOCS, table, write_parts

OUT, PAGE = DOCS / "memory.json", DOCS / "memory.md"
Row = dict[str, Any]
OFF, TIED = 0.1, 1.02  # how far a plan may be off; two runs whose peaks differ by less have no order
LORA = {"name": "lora", "rank": 8, "alpha": 8}
UNET_ALONE = {**LORA, "text_rate": 0.0}
STORED = {"checkpointing": False}
CHANGES: list[dict[str, Any]] = [
    {"method": LORA}, {"method": LORA, "training": STORED}, {"method": UNET_ALONE},
    {"method": UNET_ALONE, "training": {"batch_size": 4}},
    {"method": UNET_ALONE, "training": {"batch_size": 4, **STORED}},
    {"method": UNET_ALONE, "data": {"resolution": 512}},
    {"method": UNET_ALONE, "data": {"resolution": 512}, "training": STORED},
    {"method": UNET_ALONE, "data": {"resolution": 1024}}, {"method": LORA, "prior": {"penalty": 1.0}},
    {"method": UNET_ALONE, "training": {"accumulation": 2, **STORED}},
    {"method": {"name": "loha", "rank": 8}}, {"method": {"name": "lokr", "rank": 8}, "training": STORED},
    {"method": {"name": "textual_inversion"}}, {"method": {"name": "hypernetwork"}},
    {"method": {"name": "dreambooth"}}, {"method": {"name": "dreambooth"}, "training": STORED},
    {"method": {"name": "dreambooth", "bf16": True}, "training": {"in_backward": True}},
    *({"method": {"name": "full"}, "training": {"optimizer": name}} for name in OPTIMIZERS
      if not OPTIMIZERS[name].needs_cuda),
]


def runs(pictures: Path) -> Iterator[Run]:
    return (run_of(pictures, change) for change in CHANGES)


def run_of(pictures: Path, change: dict[str, Any]) -> Run:
    concept = {"folder": str(pictures), "instance_prompt": "a zwx ghost", "word": "zwx", "class_prompt": "a ghost"}
    training = {"batch_size": 1, **change.get("training", {})}
    return from_dict({"output": {"name": "zwx"}, "concepts": [concept], "data": {"resolution": 256},
                      "previews": {"card": False}, **change, "training": training})


def planned_and_measured(view: DiffusersView, run: Run) -> tuple[MemoryPlan, int]:
    """The plan, and how many bytes above the checkpoint's weights two steps took at most."""
    items = [item for found in find_all_pictures(run) for item in found.items]
    words = new_words_of(run) if run.method.product.learns_words else ()
    with frozen(view.unet, view.vae, *view.text_models):
        return memory_plan(run, view, items, words), measured(view, run, items, words)


def above_weights(plan: MemoryPlan, run: Run, view: DiffusersView) -> int:
    """What the plan says of that: without weights, those that are trained themselves among them."""
    trained_in_place = run.method.name == "dreambooth" and not run.method.rounded and view.compute == torch.float32
    rest = replace(plan, weights=0, encoding=0, preview=0, context=0)
    return rest.total - (sum(view.sizes().values()) - plan.weights if trained_in_place else 0)


def measured(view: DiffusersView, run: Run, items: list[Item], words: tuple[NewWord, ...]) -> int:
    cuda = view.device.type == "cuda"
    before = torch.cuda.memory_allocated() if cuda else 0
    with LiveTensors() as live:
        trainable = run.method.attach(view, 0, words)
        batches = Batches(run, view, items, bool(trainable.parts & view.family.text_parts))
        preparing: list[Event] = list(batches.prepare())
        assert preparing
        moved = before - torch.cuda.memory_allocated() if cuda else 0
        live.highest = 0
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        optimizer = Optimizer(trainable.groups(), run.training, view.compute == torch.float16)
        with gradient_checkpointing(view, run.training.checkpointing):
            for step in range(2):
                take_step(run, view, trainable, batches, optimizer, step)
        del optimizer
        trainable.detach()
    view.unpark()
    return torch.cuda.max_memory_allocated() - before + max(moved, 0) if cuda else live.highest


def compare(view: DiffusersView, pictures: Path) -> Iterator[Row]:
    for run in runs(pictures):
        plan, most = planned_and_measured(view, run)
        yield {"family": view.family.name, "method": run.method.name, "also": also(run),
               "batch": run.training.batch_size, "resolution": run.data.resolution,
               "checkpointing": run.training.checkpointing, "optimizer": run.training.optimizer,
               "planned": above_weights(plan, run, view), "measured": most}


def also(run: Run) -> str:
    """What else tells a run from others."""
    text = any(rate > 0 for part, rate in run.method.rates.items() if part != "unet")
    return ", ".join([*(["text encoder"] if text else []), *(["class prompt penalty"] if run.prior.penalty else []),
                      *(["class pictures"] if run.prior.preserve else []),
                      *(["bf16"] if run.method.rounded else []),
                      *(["in the backward pass"] if run.training.in_backward else []),
                      *([f"{run.training.accumulation} batches summed"] if run.training.accumulation > 1 else [])])


def ratio(row: Row) -> float:
    return float(row["planned"] / row["measured"])


def misordered(rows: list[Row]) -> list[tuple[Row, Row]]:
    """Pairs of which the one that is planned larger is smaller, by more than a tie."""
    pairs = [sorted(pair, key=lambda row: int(row["measured"])) for pair in combinations(rows, 2)]
    return [(less, more) for less, more in pairs
            if more["measured"] > less["measured"] * TIED and more["planned"] <= less["planned"]]


def verdict(rows: list[Row]) -> str:
    ratios = sorted(map(ratio, rows))
    ties = sum(max(a["measured"], b["measured"]) <= TIED * min(a["measured"], b["measured"])
               for a, b in combinations(rows, 2))
    return (f"{len(rows)} runs: planned / measured is {ratios[0]:.3f} to {ratios[-1]:.3f}. Of "
            f"{len(rows) * (len(rows) - 1) // 2} pairs {ties} differ by less than {TIED - 1:.0%} and count as ties; of "
            f"the others {len(misordered(rows))} are planned in the wrong order.")


def lines_of(rows: list[Row]) -> list[str]:
    """For the page."""
    return [verdict(rows), "", *table(
        ["family", "method", "also", "pixels", "batch", "checkpointing", "optimizer", "planned, MiB", "measured, MiB",
         "ratio"],
        ([row["family"], row["method"], row["also"], str(row["resolution"]), str(row["batch"]),
          "on" if row["checkpointing"] else "off", row["optimizer"], *(f"{row[name] / 2**20:.1f}" for name in (
              "planned", "measured")), f"{ratio(row):.3f}"] for row in rows))]


def main(arguments: list[str]) -> int:
    sys.path.insert(0, "tests")
    from helpers import draw_pictures
    from tiny import write_named

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    compute = torch.float16 if device.type == "cuda" else torch.float32
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        pictures = draw_pictures(Path(folder) / "pictures", 4)
        paths = [write_named(Path(folder), name) for name in ("tiny-sd1", "tiny-xl")]
        for path in [*paths, *(sorted(Path(arguments[0]).glob("*.safetensors")) if arguments else ())]:
            view = load_view(path, device, compute)
            for row in compare(view, pictures):
                rows.append(row)
                print(lines_of([row])[-1], flush=True)
    print(verdict(rows))
    write_text(OUT, json.dumps({"device": device.type, "torch": torch.__version__, "runs": rows}, indent=1) + "\n")
    if device.type == "cpu":
        write_parts(PAGE, {"plan": lines_of(rows)})
    return 1 if misordered(rows) or any(abs(ratio(row) - 1) > OFF for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
