"""A picture of toyland: drawings, what the base draws of combinations it never saw, and the subjects to be learned."""

from pathlib import Path
from random import Random

from PIL import Image

from extension_lib.host import find_checkpoint
from extension_lib.hosts.standalone import Standalone

from .calibrate import BASE_CFG, held_out_captions
from .measure import pictures
from .scene import draw
from .stage import WORK
from .subjects import SUBJECTS
from .world import random_scene

OUT = Path(__file__).resolve().parents[1] / "docs" / "toyland.png"
COLUMNS, ZOOM, GAP, PAPER = 9, 2, 6, (255, 255, 255)


def rows() -> list[list[Image.Image]]:
    rng = Random("show")
    host = Standalone(WORK / "studio")
    host.load(find_checkpoint(host, "toyland"))
    captions = [text for text, _ in rng.sample(held_out_captions(rng), 2 * COLUMNS)]
    drawn = host.draw(pictures([(text, "") for text in captions], seed=60_000, cfg=BASE_CFG))
    scenes = [draw(random_scene(rng), rng) for _ in range(COLUMNS)]
    paths = [
        path for subject in SUBJECTS.values()
        for path in sorted(subject.folder.glob("*.png"))[:COLUMNS // len(SUBJECTS)]
    ]
    subjects = [Image.open(path).convert("RGB") for path in paths]
    return [scenes, drawn[:COLUMNS], drawn[COLUMNS:], subjects]


def sheet(made: list[list[Image.Image]]) -> Image.Image:
    edge = made[0][0].width * ZOOM
    page = Image.new("RGB", (COLUMNS * (edge + GAP) - GAP, len(made) * (edge + GAP) - GAP), PAPER)
    for y, row in enumerate(made):
        for x, image in enumerate(row):
            page.paste(image.resize((edge, edge), Image.Resampling.NEAREST), (x * (edge + GAP), y * (edge + GAP)))
    return page


if __name__ == "__main__":
    sheet(rows()).save(OUT, optimize=True)
