"""How fast many pictures are prepared for training, and in how much memory: `PYTHONPATH=. python -m benchmarks.cache`.

10,000 pictures of 64 pixels, each with its own caption, and a tiny model with random weights: first the first thousand,
then all of them, then all of them again. In place of the autoencoder stands a mean over squares of 8 pixels, so that
the figures are those of all the rest: reading, decoding, cutting, keeping, and the prompts. Takes 500 MB of disk.
"""

import json
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from PIL import Image

from extension_lib.data.batches import Batches
from extension_lib.data.cache import Cache
from extension_lib.data.folder import find_all_pictures
from extension_lib.models.view import View
from extension_lib.support.seeds import random_for

from .fresh import MIB, measured, memory_of

PICTURES, SIDE, STEPS = 10_000, 64, 200


def draw(folder: Path, first: int, after: int) -> None:
    folder.mkdir(exist_ok=True)
    for n in range(first, after):
        rng = random_for(n)
        Image.new("RGB", (SIDE, SIDE), tuple(rng.randrange(256) for _ in range(3))).save(folder / f"{n}.png")
        (folder / f"{n}.txt").write_text(f"a picture with the number {n}", encoding="utf-8")


def prepare(folder: Path) -> dict:
    """Encodes what is not in the cache, and reads some batches."""
    sys.path.insert(0, "tests")
    import torch
    from helpers import small_run
    from tiny import write_named

    from extension_lib.models.diffusers_view import load_view

    view = load_view(write_named(folder, "tiny-sd1"), torch.device("cpu"), torch.float32)
    encoded: list[int] = []

    def pooled(view: View, pixels: torch.Tensor) -> torch.Tensor:
        encoded.append(1)
        return torch.nn.functional.avg_pool2d(pixels, 8)[:, [0, 1, 2, 0]]

    View.encode_images = pooled  # type: ignore[assignment,method-assign]
    run = small_run(folder / "pictures", data={"resolution": SIDE})
    items, own = list(find_all_pictures(run)[0].items), memory_of("self")
    with closing(Cache(folder / "cache", 10)) as cache:
        began = time.monotonic()
        batches = Batches(run, view, items, text_trained=False, cache=cache)
        for _ in batches.prepare():
            pass
        ready = time.monotonic()
        for number in range(STEPS):
            batches.batch(number)
        speed = round(len(items) / (ready - began))
        return {"pictures": len(items), "encoded": len(encoded), "pictures_a_second": speed,
                "ms_a_batch": round((time.monotonic() - ready) / STEPS * 1000, 1), "own": own}


def main(arguments: list[str]) -> None:
    if len(arguments) == 2:
        print(json.dumps(prepare(Path(arguments[1]))))
        return
    count = int(arguments[0]) if arguments else PICTURES
    with tempfile.TemporaryDirectory() as name:
        folder, drawn = Path(name), 0
        for wanted in (count // 10, count, count):
            draw(folder / "pictures", drawn, wanted)
            drawn = wanted
            found = measured("benchmarks.cache", "prepare", folder)
            peak, own = found.pop("peak"), found.pop("own")
            print(json.dumps({**found, "peak_mib_above_start": (peak - own) // MIB}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
