"""Textual Inversion with many pictures: `python -m benchmarks.limits [subjects]`, commas between names.

Its fidelity is low in benchmarks.quality. Here it has many pictures of the places in which it is judged, more and freer
vectors, and four times the steps. What stays low has another cause. Cells are kept as they end.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from extension_lib.config.run import Run
from extension_lib.hosts.standalone import Standalone
from extension_lib.support.disk import write_text
from toyland.captions import PHRASES
from toyland.judge import Judge
from toyland.scene import draw
from toyland.subjects import SUBJECTS, Subject
from toyland.trial import judged, run_for, seconds_of, train

from .cells import DOCS, Table, mean_of

METHOD = "textual_inversion"
PICTURES, STEPS, BATCH, VECTORS = 192, 1600, 12, 16
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


def favoured(host: Standalone, subject: Subject, folder: Path) -> Run:
    run = run_for(host, subject, METHOD, concepts=[{"folder": str(folder), "class_prompt": f"a {subject.kind}"}])
    return run.with_values(
        {"method": {"vectors": VECTORS, "hold_norm": False}, "training": {"steps": STEPS, "batch_size": BATCH}})


def cell(host: Standalone, judge: Judge, subject: Subject, run: Run) -> dict[str, Any]:
    seconds = seconds_of(train(host, run))
    return {"subject": subject.name, **judged(host, judge, subject, run).as_dict(), "seconds": round(seconds, 1)}


def page(cells: list[dict[str, Any]], usual: dict[str, Any]) -> str:
    """usual: the cells of benchmarks.quality, for comparison."""
    lines = [
        "# Textual Inversion with many pictures", "",
        "Textual Inversion has a low fidelity in [quality.md](quality.md), where it learns the subjects from "
        f"eight pictures in other places than those asked for. Here it has {PICTURES} new pictures of exactly the "
        f"places in which it is judged, {STEPS} steps of {BATCH}, and {VECTORS} vectors of any length. The "
        "fidelity stays low, because the checkpoint cannot draw what the subjects wear. 64 pictures for each "
        "figure. Made by `python -m benchmarks.limits`.", "",
        "| subject | fidelity by the preset | with many pictures | place asked for | drift | diversity | seconds |",
        "|---|---|---|---|---|---|---|"
    ]
    for made in cells:
        figures = [f"{made[name]['value']:.2f}" for name in FIGURES]
        figures[FIGURES.index("fidelity")] += f" ± {made['fidelity']['error']:.2f}"
        before = usual.get(f"{METHOD} {made['subject']}")
        lines.append(f"| {made['subject']} | " + (f"{before['fidelity']['value']:.2f}" if before else "–") + " | "
                     + " | ".join(figures) + f" | {mean_of([made['seconds']])} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    subjects = [SUBJECTS[n] for n in (arguments[0].split(",") if arguments else SUBJECTS)]
    table, judge = Table(DOCS / "limits.json"), Judge()
    for subject in subjects:
        with tempfile.TemporaryDirectory() as root:
            host, folder = Standalone(Path(root)), Path(root) / "fresh"
            fresh_pictures(subject, folder)
            run = favoured(host, subject, folder)
            made = table.cell(subject.name, run, partial(cell, host, judge, subject, run))
            print(f"{subject.name:6} fidelity {made['fidelity']['value']:.2f}  {mean_of([made['seconds']])} s",
                  flush=True)
    write_text(PAGE, page(list(table.cells.values()), Table(DOCS / "quality.json").cells))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
