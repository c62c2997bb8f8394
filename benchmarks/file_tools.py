"""How much memory and time the tools for files take at the full size of Stable Diffusion 1, and merging at XL's.

The weights are random. Memory is what a process has for itself alone (RssAnon), looked at every 50 ms.
PYTHONPATH=. python -m benchmarks.file_tools FOLDER (takes 25 GB of disk); figures go to docs/formats.md.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from extension_lib.families import SD1, SDXL
from extension_lib.families.family import Family
from extension_lib.files import keys
from extension_lib.files.base import opened_checkpoint
from extension_lib.files.check import check
from extension_lib.files.combine import Part, Sum, add_up
from extension_lib.files.describe import describe
from extension_lib.files.extract import Extract, extract
from extension_lib.files.layouts import Conversion, convert
from extension_lib.files.merge import Merge, merge
from extension_lib.files.new_file import new_file
from extension_lib.files.progress import finished
from extension_lib.files.resize import Resize, resize
from extension_lib.files.singular import Keep

from .cells import DOCS, table, write_parts
from .fresh import GIB, measured
from .full_size import write_random

PAGE = DOCS / "formats.md"
RANK = 64
BASE, TUNED, XL, LORA, OTHER, XL_LORA = (f"{name}.safetensors" for name in (
    "base", "tuned", "xl", "lora", "other", "xl-lora"))


def write_lora(path: Path, base: Path, family: Family, rank: int) -> None:
    """Of random numbers, on every layer of UNet and text encoders that is a matrix."""
    rng = torch.Generator().manual_seed(rank)
    with opened_checkpoint(base) as checkpoint, new_file(path, torch.float16) as out:
        for key, leaf in checkpoint.places:
            shape = checkpoint.shape(key, leaf)
            if leaf == "weight" and len(shape) > 1 and "_embeddings_" not in key:
                down = torch.randn(rank, *shape[1:], generator=rng) * 0.02
                up = torch.randn(shape[0], rank, *[1] * (len(shape) - 2), generator=rng) * 0.02
                out.add_layer(keys.file_key(key, family), {"lora_down.weight": down, "lora_up.weight": up,
                                                           "alpha": torch.tensor(rank / 2)})


def prepare(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, family in ((BASE, SD1), (XL, SDXL)):
        if not (folder / name).exists():
            write_random(folder / name, family)
    for name, base, family, rank in ((LORA, BASE, SD1, RANK), (OTHER, BASE, SD1, 16), (XL_LORA, XL, SDXL, 16)):
        if not (folder / name).exists():
            write_lora(folder / name, folder / base, family, rank)


def told(folder: Path) -> dict[str, Callable[[], Any]]:
    """The tools by what the page calls them, in the order in which one may use what another made."""
    base, lora, out = folder / BASE, folder / LORA, folder / "out.safetensors"
    half = [Part(lora, 0.7), Part(folder / OTHER, -0.5, "IN04:0.5")]
    return {
        "describe": lambda: describe(lora), "look for faults, with the checkpoint": lambda: check(lora, base),
        "add up two files": lambda: add_up(Sum(half, out, overwrite=True)),
        "merge into the checkpoint": lambda: merge(Merge(base, half, folder / TUNED, overwrite=True)),
        "extract, rank 32": lambda: extract(Extract(base, folder / TUNED, out, Keep(32), overwrite=True)),
        "extract the difference in full": lambda: extract(Extract(base, folder / TUNED, out, None, overwrite=True)),
        "resize a LoRA to rank 16": lambda: resize(Resize(lora, out, Keep(16), overwrite=True)),
        "export as the difference in full, fp32": lambda: resize(
            Resize(lora, folder / "full.safetensors", None, precision="fp32", overwrite=True)),
        "resize that difference, 90% of its energy": lambda: resize(
            Resize(folder / "full.safetensors", out, Keep(energy=0.9), overwrite=True)),
        "scale that difference": lambda: add_up(Sum([Part(folder / "full.safetensors", 0.5)], out, overwrite=True)),
        "convert to diffusers' layout": lambda: convert(Conversion(lora, out, "diffusers", overwrite=True)),
        "convert to AUTOMATIC1111's .pt": lambda: convert(
            Conversion(lora, folder / "out.pt", "pt", "fp32", overwrite=True)),
        "merge into a checkpoint of Stable Diffusion XL (6.9 GB)": lambda: merge(
            Merge(folder / XL, [Part(folder / XL_LORA)], folder / "xl-out.safetensors", overwrite=True)),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    if len(sys.argv) > 2:
        finished(told(folder)[sys.argv[2]]())
        print(json.dumps({}))
        return
    prepare(folder)
    rows = []
    for name in told(folder):
        found = measured("benchmarks.file_tools", folder, name)
        rows.append((name, f"{found['peak'] / GIB:.2f}", str(found["seconds"])))
        print(*rows[-1], sep="\t", flush=True)
        write_parts(PAGE, {"file tools": table(("Tool", "memory, GiB", "seconds"), rows)})


if __name__ == "__main__":
    main()
