"""How well each method learns toyland's subjects: `python -m benchmarks.quality [methods] [subjects]`, commas between names.

Each cell is kept as it ends, under a hash of its settings and of the code it depends on, and skipped when it is there already.
"""

import resource
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from extension_lib import methods
from extension_lib.config.run import Run
from extension_lib.events import Stepped
from extension_lib.hosts.standalone import Standalone
from extension_lib.support.disk import write_text
from toyland.judge import Judge
from toyland.measure import COUNT, pictures, prompts
from toyland.subjects import SUBJECTS, Subject
from toyland.trial import files_of, judged, run_for, seconds_of, tag, train

from .cells import DOCS, Table, mean_of

PAGE, GRID = DOCS / "quality.md", DOCS / "quality"
PEAK = Path("/proc/self/clear_refs")
SHOWN = 8  # pictures of a cell in the grid
FIGURES = ("fidelity", "prompt_fidelity", "drift", "diversity", "memorisation")


def cell(host: Standalone, judge: Judge, subject: Subject, run: Run, count: int = COUNT) -> dict[str, Any]:
    """Trains and judges; writes the cell's pictures into the grid's folder."""
    forget_peak()
    job = train(host, run)
    seconds, peak = seconds_of(job), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    figures = judged(host, judge, subject, run, count=count).as_dict()
    shown = pictures(prompts(subject), tag(run))[:SHOWN]
    if run.method.product != "checkpoint":
        GRID.mkdir(parents=True, exist_ok=True)
        strip(host.draw(shown)).save(picture_of(run.method.name, subject.name))
    return {"method": run.method.name, "subject": subject.name, **figures,
            "steps": len([e for e in job.history if isinstance(e, Stepped)]),
            "seconds": round(seconds, 1),
            "peak_mib": peak,
            "file_kib": sum(f.stat().st_size for f in files_of(job)) // 1024}


def forget_peak() -> None:
    """From now on the peak of this process' memory is counted anew, where Linux can."""
    if PEAK.exists():
        PEAK.write_text("5", encoding="ascii")


def strip(images: list[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (sum(i.width for i in images), images[0].height))
    for n, image in enumerate(images):
        sheet.paste(image, (n * image.width, 0))
    return sheet


def picture_of(method: str, subject: str) -> Path:
    return GRID / f"{method}-{subject}.png"


def page(cells: list[dict[str, Any]]) -> str:
    """A row a method: means over its subjects; below, what each drew."""
    shown: list[str] = []
    lines = ["# What each method learns in toyland", "",
             "Means over the subjects, 64 pictures a figure, on prompts and settings that the training pictures do not show. "
             "Fidelity: 0 is what the base draws for the class word, 1 the subject itself. Drift: the same for the class word "
             "alone, after training. Seconds of training on one thread of a CPU, beside other work (of runs never held up). "
             "Made by `python -m benchmarks.quality`.", "",
             "| method | subjects | fidelity | setting asked for | drift | diversity | near-copies | steps | seconds | peak, MiB "
             "| file, KiB |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    for name, method in methods.found().items():
        own = [c for c in cells if c["method"] == name]
        if own:
            means = [sum(c[f]["value"] for c in own) / len(own) for f in FIGURES]
            numbers = [mean_of(c[f] for c in own) for f in ("steps", "seconds", "peak_mib", "file_kib")]
            lines.append(f"| {method.title} | {len(own)} | " + " | ".join(f"{m:.2f}" for m in means) + " | "
                         + " | ".join(numbers) + " |")
        for subject in (c["subject"] for c in own):
            if (picture := picture_of(name, subject)).exists():
                shown += ["", f"{method.title}, {subject}:", "", f"![{method.title}, {subject}](quality/{picture.name})"]
    return "\n".join([*lines, *shown]) + "\n"


def main(arguments: list[str]) -> int:
    wanted = arguments[0].split(",") if arguments and arguments[0] else list(methods.found())
    subjects = [SUBJECTS[n] for n in (arguments[1].split(",") if len(arguments) > 1 else SUBJECTS)]
    table, judge = Table(DOCS / "quality.json"), Judge()
    with tempfile.TemporaryDirectory() as folder:
        host = Standalone(Path(folder))
        for name in wanted:
            for subject in subjects:
                run = run_for(host, subject, name)
                made = table.cell(f"{name} {subject.name}", run, partial(cell, host, judge, subject, run))
                print(f"{name:18} {subject.name:6} fidelity {made['fidelity']['value']:.2f}  setting "
                      f"{made['prompt_fidelity']['value']:.2f}  {mean_of([made['seconds']])} s", flush=True)
    write_text(PAGE, page(list(table.cells.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
