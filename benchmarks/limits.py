"""How far a method comes with all the pictures it wants: `python -m benchmarks.limits [methods] [subjects]`, with commas.

For the methods that are lowest in benchmarks.quality: plenty of pictures of the very places in which they are judged, and many
steps. What is low even then is not for want of pictures, steps or places. Cells are kept as they end.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from extension_lib import methods
from extension_lib.disk import write_text
from extension_lib.hosts.standalone import Standalone
from extension_lib.methods.ia3 import PAPERS
from extension_lib.run import Run
from toyland.captions import PHRASES
from toyland.judge import Judge
from toyland.scene import draw
from toyland.subjects import SUBJECTS, Subject
from toyland.trial import judged, run_for, seconds_of, train

from .cells import DOCS, Table, mean_of

PICTURES, STEPS = 192, 1600
OF_SIX = {"training": {"batch_size": 6}}
FAVOURS: dict[str, dict[str, Any]] = {
    "textual_inversion": {"method": {"vectors": 16, "hold_norm": False}, "training": {"batch_size": 12}},
    "ia3": {"method": {"layers": PAPERS}, **OF_SIX}, "norm": OF_SIX, "hypernetwork": OF_SIX}
FIGURES = ("fidelity", "prompt_fidelity", "drift", "diversity")
PAGE = DOCS / "limits.md"


def fresh_pictures(subject: Subject, folder: Path) -> None:
    """The subject drawn anew in the places where it is judged, with captions."""
    folder.mkdir()
    rng = Random("limits")
    for n in range(PICTURES):
        setting = subject.unseen[n % len(subject.unseen)]
        phrases = PHRASES[setting]
        draw(subject.fresh(rng, (setting,)), rng).save(folder / f"{n:03}.png")
        said = f"{subject.prompt} {phrases[n // len(subject.unseen) % len(phrases)]}\n"
        (folder / f"{n:03}.txt").write_text(said, encoding="utf-8")


def favoured(host: Standalone, subject: Subject, method: str, folder: Path) -> Run:
    run = run_for(host, subject, method, concepts=[{"folder": str(folder), "class_prompt": f"a {subject.kind}"}])
    return run.with_values(FAVOURS[method]).with_values({"training": {"steps": STEPS}})


def cell(host: Standalone, judge: Judge, subject: Subject, run: Run) -> dict[str, Any]:
    seconds = seconds_of(train(host, run))
    return {"method": run.method.name, "subject": subject.name, **judged(host, judge, subject, run).as_dict(),
            "steps": STEPS, "batch": run.training.batch_size, "seconds": round(seconds, 1)}


def page(cells: list[dict[str, Any]], usual: dict[str, Any]) -> str:
    """usual: the cells of benchmarks.quality, for comparison."""
    lines = ["# How far methods come with all the pictures they want", "",
             "The methods that are lowest in [quality.md](quality.md), where they learn from eight pictures in other places than "
             f"those asked for. Here each has {PICTURES} fresh pictures of the very places in which it is judged, and {STEPS} "
             "steps of six, (IA)³ in the layers of its paper; Textual Inversion also has 16 vectors of any length and batches of "
             "twelve. 64 pictures a figure. Made by `python -m benchmarks.limits`.", "",
             "| method | subject | fidelity by the preset | so favoured | place asked for | drift | diversity | seconds |",
             "|---|---|---|---|---|---|---|---|"]
    for made in cells:
        figures = [f"{made[name]['value']:.2f} ± {made[name]['error']:.2f}" if name == "fidelity" else f"{made[name]['value']:.2f}"
                   for name in FIGURES]
        before = usual.get(f"{made['method']} {made['subject']}")
        lines.append(f"| {methods.found()[made['method']].title} | {made['subject']} | "
                     + (f"{before['fidelity']['value']:.2f}" if before else "–") + " | " + " | ".join(figures)
                     + f" | {mean_of([made['seconds']])} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    wanted = arguments[0].split(",") if arguments and arguments[0] else list(FAVOURS)
    subjects = [SUBJECTS[n] for n in (arguments[1].split(",") if len(arguments) > 1 else SUBJECTS)]
    table, judge = Table(DOCS / "limits.json"), Judge()
    for subject in subjects:
        for name in wanted:
            with tempfile.TemporaryDirectory() as root:
                host, folder = Standalone(Path(root)), Path(root) / "fresh"
                fresh_pictures(subject, folder)
                run = favoured(host, subject, name, folder)
                made = table.cell(f"{name} {subject.name}", run, partial(cell, host, judge, subject, run))
                print(f"{name:18} {subject.name:6} fidelity {made['fidelity']['value']:.2f}  {made['seconds']:.0f} s", flush=True)
    write_text(PAGE, page(list(table.cells.values()), Table(DOCS / "quality.json").cells))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
