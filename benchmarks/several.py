"""What keeps several concepts, and their class words, apart.

`python -m benchmarks.several [prior | together] [methods] [remedies]`
prior: one subject over three seeds, with and without what holds the class word. together: two subjects in one run, by
remedy. Methods and remedies are lists with commas; without them all are measured.
Cells are kept as they end, like those of benchmarks.quality.
"""

import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image

from extension_lib.config.run import Run
from extension_lib.host import find_checkpoint
from extension_lib.hosts.standalone import Standalone
from toyland.captions import PHRASES
from toyland.judge import Judge
from toyland.measure import COUNT, fidelity, mean, pictures, prompt_fidelity, prompts
from toyland.scene import draw_with_mask
from toyland.settings import SETTINGS
from toyland.subjects import SUBJECTS, Subject, training_scenes
from toyland.trial import run_for, seconds_of, tag, train

from .cells import DOCS, Table, mean_of, write_parts

SEEDS = (0, 1, 2)
PAIR = ("ghost", "cat")
NEIGHBOUR = "fish"  # a kind that is not trained, and of those the one that the base draws beside a ghost most often
# What two subjects need more than one; LoRA at one subject's rate loses the first of them (0.24 to 0.77 with the
# penalty).
FOR_TWO: dict[str, dict[str, Any]] = {
    "dreambooth": {"training": {"steps": 800}}, "pivotal": {"training": {"steps": 400}},
    "lora": {"training": {"steps": 600}, "method": {"unet_rate": 6e-4}}}
SHOWS = 0.5  # the judge's probability from which a picture shows a subject


@dataclass(frozen=True)
class Remedy:
    """Something said to keep concepts apart.

    captions: the pictures' own, else the same words for all of a concept's pictures.
    """

    settings: dict[str, Any]
    captions: bool = True


NOTHING = Remedy({}, captions=False)
CAPTIONS = Remedy({})
CLASS_PICTURES = Remedy({"prior": {"preserve": True}})
# The whole model learns the rare word beside class pictures only if they count less and the text encoder learns faster.
BESIDE_THE_WHOLE = Remedy({"prior": {"preserve": True, "weight": 0.5}, "method": {"text_rate": 2e-3}})
PENALTY = Remedy({"prior": {"penalty": 0.3}})
MASKS = Remedy({"data": {"masked": True}})
REMEDIES = {
    "dreambooth": {"nothing": NOTHING, "captions": CAPTIONS, "class pictures": BESIDE_THE_WHOLE, "masks": MASKS},
    "lora": {
        "nothing": NOTHING, "captions": CAPTIONS, "class pictures": CLASS_PICTURES, "penalty": PENALTY, "masks": MASKS
    },
    "pivotal": {"captions": CAPTIONS, "class pictures": CLASS_PICTURES, "penalty": PENALTY, "masks": MASKS},
}
OF_ONE = ("captions", "class pictures", "penalty")  # of these, what holds the class word of one subject


def folder_with_masks(subject: Subject, into: Path) -> Path:
    """The subject's training pictures with captions, each with a mask that is white where the subject stands."""
    into.mkdir(parents=True)
    for path in sorted(subject.folder.iterdir()):
        shutil.copyfile(path, into / path.name)
    for n, (scene, rng, height) in enumerate(training_scenes(subject)):
        draw_with_mask(scene, rng, height)[1].save(into / f"{n + 1}-mask.png")
    return into


def concept(subject: Subject, root: Path, captions: bool) -> dict[str, Any]:
    folder = root / subject.name
    called = ({"instance_prompt": "[filewords]", "class_prompt": "[filewords]", "word": subject.word} if captions
              else {"instance_prompt": subject.prompt, "class_prompt": f"a {subject.kind}"})
    return {"folder": str(folder if folder.exists() else folder_with_masks(subject, folder)), **called}


def run_of(host: Standalone, subjects: list[Subject], method: str, remedy: Remedy, root: Path, seed: int = 0) -> Run:
    run = run_for(host, subjects[0], method).with_values(remedy.settings)
    return run.with_values({"output": {"name": "several"}, "training": {"seed": seed}, "previews": {"card": False},
                            "concepts": [concept(subject, root, remedy.captions) for subject in subjects]})


def trained(host: Standalone, run: Run) -> float:
    """Seconds of training; a checkpoint is left loaded."""
    host.load(find_checkpoint(host, "toyland"))
    seconds = seconds_of(train(host, run))
    if run.method.product.is_checkpoint:
        host.load(find_checkpoint(host, run.output.name))
    return round(seconds, 1)


def of_one(host: Standalone, judge: Judge, run: Run, subject: Subject) -> dict[str, Any]:
    """The figures of one subject."""
    pairs = prompts(subject)
    own = host.draw(pictures(pairs, tag(run)))
    bare = host.draw(pictures(prompts(subject, word=False), tag(run), seed=5000))
    read = judge.read(own)
    others = [read.subject(name) > SHOWS for name in SUBJECTS if name != subject.name]
    found = {"fidelity": fidelity(judge, subject, own), "prompt_fidelity": prompt_fidelity(judge, pairs, own),
             "drift": fidelity(judge, subject, bare), "another subject": mean(torch.stack(others).any(0))}
    return {name: {"value": round(f.value, 4), "error": round(f.error, 4)} for name, f in found.items()}


def side_by_side(left: str, right: str) -> list[tuple[str, str]]:
    """Prompts of two things in every setting."""
    every = [(f"{left} {join} {right} {phrase}", setting) for setting in SETTINGS for phrase in PHRASES[setting]
             for join in ("next to", "and", "beside")]
    return Random("side by side").sample(every * 2, COUNT)


def share_of_both(judge: Judge, images: list[Image.Image], kinds: set[str],
                  subjects: list[Subject]) -> dict[str, float]:
    """How many pictures show both kinds, how many every subject, and how many any subject."""
    read = judge.read(images)
    shown = torch.stack([read.subject(s.name) > SHOWS for s in subjects])
    return {"both kinds": sum(k == kinds for k in read.two_kinds()) / len(images),
            "every subject": shown.all(0).float().mean().item(), "any subject": shown.any(0).float().mean().item()}


def together(host: Standalone, judge: Judge, run: Run, subjects: list[Subject]) -> dict[str, Any]:
    """Two subjects in one run: each alone, both in one picture, and one's kind next to another kind."""
    seconds = trained(host, run)
    first, second = subjects
    both = beside(host, judge, (first.prompt, second.prompt), {first.kind, second.kind}, subjects, tag(run))
    return {"seconds": seconds, **{s.name: of_one(host, judge, run, s) for s in subjects}, "subjects": both,
            **class_words(host, judge, subjects, tag(run))}


def class_words(host: Standalone, judge: Judge, subjects: list[Subject], tag: str = "") -> dict[str, Any]:
    """The first one's class word next to a kind that is not trained."""
    kind = subjects[0].kind
    return {"class words": beside(host, judge, (f"a {kind}", f"a {NEIGHBOUR}"), {kind, NEIGHBOUR}, subjects, tag)}


def beside(host: Standalone, judge: Judge, called: tuple[str, str], kinds: set[str], subjects: list[Subject],
           tag: str) -> dict[str, float]:
    return share_of_both(judge, host.draw(pictures(side_by_side(*called), tag, seed=9000)), kinds, subjects)


def untrained(host: Standalone, judge: Judge, subjects: list[Subject]) -> dict[str, Any]:
    """What the checkpoint itself makes of two kinds in one picture, in the subjects' stead their class words."""
    host.load(find_checkpoint(host, "toyland"))
    first, second = subjects
    called = (f"a {first.kind}", f"a {second.kind}")
    return {
        "subjects": beside(host, judge, called, {first.kind, second.kind}, subjects, ""),
        **class_words(host, judge, subjects)
    }


def alone(host: Standalone, judge: Judge, run: Run, subject: Subject) -> dict[str, Any]:
    return {"seconds": trained(host, run), **of_one(host, judge, run, subject)}


Wanted = list[tuple[str, str, Remedy]]  # method, what helps, and how


def measure_prior(host: Standalone, judge: Judge, table: Table, wanted: Wanted, root: Path) -> None:
    subject = SUBJECTS["ghost"]
    for method, name, remedy in wanted:
        for seed in SEEDS if name in OF_ONE else ():
            run = run_of(host, [subject], method, remedy, root, seed)
            made = table.cell(f"prior | {method} | {name} | {seed}", run, partial(alone, host, judge, run, subject))
            print(f"{method:11} {name:15} seed {seed}  fidelity {made['fidelity']['value']:.2f}  "
                  f"drift {made['drift']['value']:.2f}", flush=True)


def measure_together(host: Standalone, judge: Judge, table: Table, wanted: Wanted, root: Path) -> None:
    subjects = [SUBJECTS[name] for name in PAIR]
    table.cell("together | none", run_for(host, subjects[0]), partial(untrained, host, judge, subjects))
    for method, name, remedy in wanted:
        run = run_of(host, subjects, method, remedy, root).with_values(FOR_TWO[method])
        made = table.cell(f"together | {method} | {name}", run, partial(together, host, judge, run, subjects))
        said = "  ".join(f"{s.name} {made[s.name]['fidelity']['value']:.2f}" for s in subjects)
        print(f"{method:11} {name:15} {said}  both {made['subjects']['every subject']:.2f}  class words "
              f"{made['class words']['both kinds']:.2f}", flush=True)


MEASURES = {"prior": measure_prior, "together": measure_together}


def write_page(cells: dict[str, Any]) -> None:
    one = ["| method | with | fidelity | drift | seconds |", "|---|---|---|---|---|", *rows_of_one(cells)]
    two = ["| method | with | fidelity | drift | mixed up | both | class words | seconds |",
           "|---|---|---|---|---|---|---|---|", *rows_of_two(cells)]
    write_parts(DOCS / "several.md", {"one": one, "two": two})


def rows_of_one(cells: dict[str, Any]) -> list[str]:
    """A row a method and remedy, with the figures of all seeds."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for name, cell in cells.items():
        kind, *rest = name.split(" | ")
        if kind == "prior":
            groups.setdefault(tuple(rest[:2]), []).append(cell)
    rows = []
    for (method, remedy), own in groups.items():
        fidelities, drifts = (" / ".join(f"{c[figure]['value']:.2f}" for c in own) for figure in ("fidelity", "drift"))
        rows.append(f"| {method} | {remedy} | {fidelities} | {drifts} | {mean_of(c['seconds'] for c in own)} |")
    return rows


def rows_of_two(cells: dict[str, Any]) -> list[str]:
    rows = []
    for name, cell in cells.items():
        kind, method, *rest = name.split(" | ")
        if kind == "together":
            by_subject = [" / ".join(f"{cell[s][figure]['value']:.2f}" if s in cell else "–" for s in PAIR)
                          for figure in ("fidelity", "drift", "another subject")]
            both, words = cell["subjects"], cell["class words"]
            rows.append(f"| {method} | {' '.join(rest)} | {' | '.join(by_subject)} | {both['every subject']:.2f} "
                        f"({both['both kinds']:.2f}) | {words['both kinds']:.2f} ({words['any subject']:.2f}) | "
                        f"{mean_of([cell.get('seconds')])} |")
    return rows


def main(arguments: list[str]) -> int:
    measures = [arguments[0]] if arguments else list(MEASURES)
    named = arguments[1].split(",") if len(arguments) > 1 else list(REMEDIES)
    helping = arguments[2].split(",") if len(arguments) > 2 else None
    wanted = [(method, name, remedy) for method in named for name, remedy in REMEDIES[method].items()
              if helping is None or name in helping]
    table, judge = Table(DOCS / "several.json"), Judge()
    with tempfile.TemporaryDirectory() as folder:
        host = Standalone(Path(folder))
        for name in measures:
            MEASURES[name](host, judge, table, wanted, Path(folder) / "pictures")
    write_page(table.cells)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
