"""The pictures of docs/guide.md, `python -m toyland.guide`: three LoRAs of the cat, trained once, and drawn by step."""

import shutil
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from extension_lib.host import Picture
from extension_lib.hosts.standalone import Standalone

from .measure import CFG, STEPS
from .stage import WORK
from .subjects import SUBJECTS
from .trial import run_for, seconds_of, train

OUT = Path(__file__).resolve().parents[1] / "docs" / "guide"
CAT = SUBJECTS["cat"]
SAME_PLACE = ("1", "5")  # the cat on the beach
PROMPT, SEED = f"{CAT.prompt} in the forest", 4
COPIES, LAST = 100, 600  # every so many steps, until
WEIGHTS = (0.0, 0.4, 0.6, 0.8, 1.0, 1.4)
SIZE, GAP, LEFT, TOP = 80, 4, 110, 24


def folder_of_two(root: Path) -> Path:
    folder = root / "two"
    folder.mkdir(parents=True, exist_ok=True)
    for file in (f"{name}{ending}" for name in SAME_PLACE for ending in (".png", ".txt")):
        shutil.copy(CAT.folder / file, folder / file)
    return folder


def trained(host: Standalone, name: str, **concept: Any) -> None:
    """Trains a LoRA of this name, unless it is there."""
    if not (host.folders.lora / f"{name}.safetensors").exists():
        seconds_of(train(host, run_for(host, CAT, "lora", output={"name": name}, training={"steps": LAST},
                                       saving={"save_every": COPIES}, concepts=[{"class_prompt": "a cat", **concept}])))


def tag(name: str, step: int, weight: float = 1.0) -> str:
    copy = "" if step == LAST else f"-{step:06}"
    return f" <lora:{name}{copy}:{weight:g}>" if step and weight else ""


def drawn(host: Standalone, tags: list[str]) -> list[Image.Image]:
    return host.draw([Picture(PROMPT + text, steps=STEPS, cfg=CFG, width=64, height=64, seed=SEED) for text in tags])


def enlarged(image: Image.Image) -> Image.Image:
    return image.resize((SIZE, SIZE), Image.Resampling.BICUBIC)


def sheet(columns: list[str], rows: list[tuple[str, list[Image.Image]]]) -> Image.Image:
    font = ImageFont.load_default()
    page = Image.new("RGB", (LEFT + len(columns) * (SIZE + GAP), TOP + len(rows) * (SIZE + GAP)), "white")
    pen = ImageDraw.Draw(page)
    for x, title in enumerate(columns):
        pen.text((LEFT + x * (SIZE + GAP) + SIZE / 2, TOP / 2), title, "black", font, anchor="mm")
    for y, (label, images) in enumerate(rows):
        pen.multiline_text((4, TOP + y * (SIZE + GAP) + SIZE / 3), label, "black", font)
        for x, image in enumerate(images):
            page.paste(enlarged(image), (LEFT + x * (SIZE + GAP), TOP + y * (SIZE + GAP)))
    return page


def training_pictures() -> Image.Image:
    paths = sorted(CAT.folder.glob("*.png"))
    page = Image.new("RGB", (len(paths) * (SIZE + GAP) - GAP, SIZE), "white")
    for x, path in enumerate(paths):
        page.paste(enlarged(Image.open(path).convert("RGB")), (x * (SIZE + GAP), 0))
    return page


def main() -> None:
    host = Standalone(WORK / "guide")
    two = folder_of_two(WORK / "guide")
    trained(host, "eight", folder=str(CAT.folder))
    trained(host, "two", folder=str(two))
    trained(host, "uncaptioned", folder=str(two), instance_prompt=CAT.prompt)
    OUT.mkdir(parents=True, exist_ok=True)
    training_pictures().save(OUT / "pictures.png", optimize=True)
    steps = [0, *range(COPIES, LAST + 1, COPIES)]
    rows = [("eight pictures,\nfour places,\ncaptions", "eight"), ("two pictures,\none place,\ncaptions", "two"),
            ("two pictures,\none place,\nno captions", "uncaptioned")]
    by_step = [(label, drawn(host, [tag(name, n) for n in steps])) for label, name in rows]
    by_weight = [(f"step {n}", drawn(host, [tag("eight", n, w) for w in WEIGHTS])) for n in (100, 200, 400, 600)]
    sheet([f"step {n}" for n in steps], by_step).save(OUT / "overfitting.png", optimize=True)
    sheet([f"weight {w:g}" for w in WEIGHTS], by_weight).save(OUT / "weights.png", optimize=True)


if __name__ == "__main__":
    main()
