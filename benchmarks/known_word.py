"""Textual Inversion of what the checkpoint can draw, a purple robot: `python -m benchmarks.known_word [seeds]`.

The new word stands for kind and colour together and begins as the average word, so that nothing tells it what it will
mean. Cells are kept as they end, like those of benchmarks.quality, which shows them in its page.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image

from extension_lib.config.run import Run
from extension_lib.hosts.standalone import Standalone
from toyland.captions import PHRASES
from toyland.judge import Judge
from toyland.measure import COUNT, Figures, diversity, mean, nearest, pictures, prompt_fidelity
from toyland.scene import Figure, draw
from toyland.subjects import Subject, training_scenes
from toyland.trial import run_for, seconds_of, train

from .cells import DOCS, Table, strip

METHOD = "textual_inversion"
SHOWN = 8
ROBOT = Subject("purple robot", "kfw", Figure("robot", "purple"), ("city", "night", "room", "forest"))
TABLE = Table(DOCS / "known_word.json")


def write_pictures(folder: Path) -> None:
    """Eight captioned pictures, made as those of toyland's subjects."""
    folder.mkdir()
    for n, (scene, rng, height) in enumerate(training_scenes(ROBOT)):
        draw(scene, rng, height).save(folder / f"{n}.png")
        caption = f"a {ROBOT.word} {PHRASES[scene.setting][n // len(ROBOT.seen)]}\n"
        (folder / f"{n}.txt").write_text(caption, encoding="utf-8")


def pairs(name: str) -> list[tuple[str, str]]:
    """(prompt, setting) in settings that the training pictures do not show."""
    every = [(f"{name} {phrase}", setting) for setting in ROBOT.unseen for phrase in PHRASES[setting]]
    return [every[n % len(every)] for n in range(COUNT)]


def shares(judge: Judge, images: list[Image.Image]) -> dict[str, torch.Tensor]:
    """(n,) 0 or 1: which pictures show a robot, something purple, both."""
    read = judge.read(images)
    kind = torch.tensor([k == ROBOT.figure.kind for k in read.kind()])
    colour = torch.tensor([c == ROBOT.figure.colour for c in read.colour()])
    return {"kind": kind, "colour": colour, "both": kind & colour}


def cell(host: Standalone, judge: Judge, run: Run, folder: Path) -> dict[str, Any]:
    bare = pictures(pairs(f"a {ROBOT.kind}"), seed=5000)
    before = shares(judge, host.draw(bare))["both"].float()
    seconds = seconds_of(train(host, run))
    asked = pairs(f"a {ROBOT.word}")
    images = host.draw(pictures(asked))
    strip(images[:SHOWN]).save(DOCS / "quality" / "known_word.png", optimize=True)
    drawn = shares(judge, images)
    kept = [Image.open(path).convert("RGB") for path in sorted(folder.glob("*.png"))]
    rng = Random("memorisation")
    limit = nearest([draw(ROBOT.fresh(rng, ROBOT.seen), rng) for _ in range(300)], kept).min() * 0.9
    drift = mean(shares(judge, host.draw(bare))["both"].float() - before)
    figures = Figures(mean(drawn["both"]), prompt_fidelity(judge, asked, images), drift,
                      diversity(asked, images, ROBOT), mean(nearest(images, kept) < limit))
    parts = {"kind": drawn["kind"], "colour": drawn["colour"], "before": before}
    return {"method": METHOD, "seed": run.training.seed, **figures.as_dict(),
            **{name: round(mean(values).value, 4) for name, values in parts.items()},
            "steps": run.training.steps, "seconds": round(seconds, 1)}


def main(arguments: list[str]) -> int:
    judge = Judge()
    for seed in [int(n) for n in arguments[0].split(",")] if arguments else [0]:
        with tempfile.TemporaryDirectory() as root:
            host, folder = Standalone(Path(root)), Path(root) / "pictures"
            write_pictures(folder)
            run = run_for(host, ROBOT, METHOD, training={"seed": seed}, concepts=[{"folder": str(folder)}])
            made = TABLE.cell(f"seed {seed}", run, partial(cell, host, judge, run, folder))
            print(f"seed {seed}: robot {made['kind']:.2f}  purple {made['colour']:.2f}  before {made['before']:.2f}  "
                  f"both {made['fidelity']['value']:.2f}  place {made['prompt_fidelity']['value']:.2f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
