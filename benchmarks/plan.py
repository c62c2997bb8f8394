"""The planned memory of many runs beside the measured: `python -m benchmarks.plan [FOLDER]`.

On a CPU, tiny checkpoints of each family are made and the storages of all tensors are counted. On a graphics card,
what torch has allocated at most is measured, with the tiny checkpoints and with every .safetensors in FOLDER.
"""

import itertools
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

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

OUT = Path(__file__).resolve().parents[1] / "docs" / "memory.json"
LORA = {"name": "lora", "rank": 8, "alpha": 8}
CHANGES: list[dict[str, Any]] = [
    {"method": LORA}, {"method": {**LORA, "text_rate": 0.0}}, {"method": {"name": "dreambooth"}},
    {"method": {**LORA, "text_rate": 0.0}, "training": {"batch_size": 4}},
    {"method": {"name": "loha", "rank": 8}}, {"method": {"name": "lokr", "rank": 8}},
    {"method": {"name": "textual_inversion"}}, {"method": {"name": "full"}, "training": {"optimizer": "Adafactor"}},
    {"method": LORA, "data": {"resolution": 512}}, {"method": LORA, "prior": {"penalty": 1.0}},
    {"method": {"name": "dreambooth"}, "training": {"optimizer": "Adafactor"}},
    {"method": {"name": "dreambooth", "bf16": True}, "training": {"in_backward": True}},
]


def runs(pictures: Path) -> Iterator[Run]:
    for change, checkpointing in itertools.product(CHANGES, (True, False)):
        yield run_of(pictures, change, checkpointing)


def run_of(pictures: Path, change: dict[str, Any], checkpointing: bool = True) -> Run:
    concept = {"folder": str(pictures), "instance_prompt": "a zwx ghost", "word": "zwx", "class_prompt": "a ghost"}
    training = {"batch_size": 1, "checkpointing": checkpointing, **change.get("training", {})}
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


def compare(view: DiffusersView, pictures: Path) -> Iterator[dict[str, Any]]:
    for run in runs(pictures):
        plan, most = planned_and_measured(view, run)
        yield {"family": view.family.name, "method": run.method.name, "batch": run.training.batch_size,
               "resolution": run.data.resolution, "checkpointing": run.training.checkpointing,
               "optimizer": run.training.optimizer, "planned": above_weights(plan, run, view), "measured": most}


def main(arguments: list[str]) -> int:
    sys.path.insert(0, "tests")
    from helpers import draw_pictures
    from tiny import write_named

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    compute = torch.float16 if device.type == "cuda" else torch.float32
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        pictures = draw_pictures(Path(folder) / "pictures", 4)
        paths = [write_named(Path(folder), name) for name in ("tiny-sd1", "tiny-xl")]
        for path in [*paths, *(sorted(Path(arguments[0]).glob("*.safetensors")) if arguments else ())]:
            view = load_view(path, device, compute)
            for row in compare(view, pictures):
                rows.append(row)
                print(*(f"{value / 2**20:.1f}" if name in ("planned", "measured") else value
                        for name, value in row.items()), f"{row['planned'] / row['measured']:.3f}", flush=True)
    ratios = sorted(row["planned"] / row["measured"] for row in rows)
    print(f"planned / measured: {ratios[0]:.3f} to {ratios[-1]:.3f} in {len(rows)} runs")
    write_text(OUT, json.dumps({"device": device.type, "torch": torch.__version__, "runs": rows}, indent=1) + "\n")
    return 0 if ratios[0] > 0.9 and ratios[-1] < 1.1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
