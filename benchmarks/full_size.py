"""How much memory a full-sized checkpoint of Stable Diffusion XL takes: a LoRA's first steps, and DreamBooth's save.

The weights are random. Memory is what a process has for itself alone (RssAnon), looked at every 50 ms.
PYTHONPATH=. python -m benchmarks.full_size FOLDER (takes 14 GB of disk and 12 GB of memory)
"""

import json
import sys
from pathlib import Path

import torch

from extension_lib.events import Ended
from extension_lib.export import checkpoint
from extension_lib.export.stream import header_bytes, make_entry, tensor_bytes
from extension_lib.export.tensor_part import whole_name, whole_shape
from extension_lib.families import SDXL
from extension_lib.families.family import Family
from extension_lib.models.checkpoint_parts import places
from extension_lib.models.diffusers_pipeline import CONFIGS

from .fresh import GIB, measured, memory_of


def write_random(path: Path, family: Family = SDXL) -> int:
    """Writes a checkpoint in fp16, tensor by tensor; returns how many bytes its weights are."""
    parts = places(CONFIGS / family.name, family)
    shapes = {whole_name(p.tensor): list(whole_shape(p.tensor, p.shape)) for p in parts}
    entries = [make_entry(name, shape, torch.float16) for name, shape in shapes.items()]
    rng = torch.Generator().manual_seed(0)
    with open(path, "wb") as file:
        file.write(header_bytes(entries, {"format": "pt"}))
        for one in entries:
            values = torch.randn(one.shape, generator=rng) * (one.shape[-1] if one.shape else 1)**-0.5
            file.write(tensor_bytes(values.half()))
    return sum(one.size for one in entries)


def train(folder: Path) -> dict:
    """Three steps of a LoRA at 256 pixels in bf16."""
    sys.path.insert(0, "tests")
    from helpers import draw_pictures, small_run

    from extension_lib.hosts.standalone import Standalone
    from extension_lib.runs.start import start_run, workspace_for

    host = Standalone(folder, dtype=torch.bfloat16)
    run = small_run(draw_pictures(folder / "pictures", 2), base={"checkpoint": "random"}, output={"name": "full"},
                    method={"rank": 8, "text_rate": 1e-5}, data={"resolution": 256},
                    training={"steps": 3, "batch_size": 1, "checkpointing": True})
    job = start_run(run, host, workspace_for(run, host))
    ended = job.wait()
    assert isinstance(ended, Ended) and not ended.failed, ended
    return {"steps": job.step}


def save(folder: Path) -> dict:
    """DreamBooth's save of a trained UNet and second text encoder; "own": what the process had before."""
    sys.path.insert(0, "tests")
    from helpers import about, small_run

    base = folder / "checkpoints" / "random.safetensors"
    trained = {p.tensor: torch.full(p.shape, 0.5, dtype=torch.float16) for p in places(CONFIGS / "sdxl", SDXL)
               if p.part in ("unet", "text_encoder_2") and "embedding" not in p.tensor}
    own = memory_of("self")
    run = small_run(folder / "pictures", saving={"precision": "fp16"})
    checkpoint.write_checkpoint(folder / "saved.safetensors", trained, about(run, family=SDXL, checkpoint=base))
    return {"own": own}


def in_gib(found: dict) -> dict:
    return {**found, **{name: round(found[name] / GIB, 2) for name in ("own", "peak") if name in found}}


def main() -> None:
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        print(json.dumps({"train": train, "save": save}[sys.argv[2]](folder)))
        return
    path = folder / "checkpoints" / "random.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    size = path.stat().st_size if path.exists() else write_random(path)
    saved, trained = (in_gib(measured("benchmarks.full_size", folder, what)) for what in ("save", "train"))
    print(json.dumps({"weights_gib": round(size / GIB, 2), "save": saved, "train": trained}, indent=1))


if __name__ == "__main__":
    main()
