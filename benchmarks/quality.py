"""How well each method learns toyland's subjects: `python -m benchmarks.quality [methods] [subjects]`, commas between
names.

Each cell is kept as it ends, under a hash of its settings and of the code it depends on, and skipped when it is there
already. `python -m benchmarks.quality page` measures nothing and writes the tables of docs/quality.md from the kept
cells.
"""

import resource
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from extension_lib import methods
from extension_lib.config.run import Run
from extension_lib.hosts.standalone import Standalone
from toyland.judge import Judge
from toyland.measure import COUNT, pictures, prompts
from toyland.subjects import SUBJECTS, Subject
from toyland.trial import files_of, judged, run_for, seconds_of, tag, train

from . import known_word
from .cells import DOCS, Table, mean_of, strip, write_parts

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
    if not run.method.product.is_checkpoint:
        GRID.mkdir(parents=True, exist_ok=True)
        strip(host.draw(shown)).save(picture_of(run.method.name, subject.name))
    return {"method": run.method.name, "subject": subject.name, **figures,
            "steps": job.step,
            "seconds": round(seconds, 1),
            "peak_mib": peak,
            "file_kib": sum(f.stat().st_size for f in files_of(job)) // 1024}


def forget_peak() -> None:
    """From now on the peak of this process' memory is counted anew, where Linux can."""
    if PEAK.exists():
        PEAK.write_text("5", encoding="ascii")


def picture_of(method: str, subject: str) -> Path:
    return GRID / f"{method}-{subject}.png"


def table(cells: list[dict[str, Any]], words: list[dict[str, Any]]) -> list[str]:
    """A row a method: means over its subjects. words: the cells of benchmarks.known_word, for a row of their own."""
    lines = ["| method | subjects | fidelity | place asked for | drift | diversity | near-copies | steps | seconds "
             "| peak, MiB | file, KiB |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    for name, method in methods.all_methods().items():
        own = [c for c in cells if c["method"] == name]
        if own:
            lines.append(row(method.title, str(len(own)), own))
        if name == known_word.METHOD and words:
            lines.append(row(f"{method.title}, a word for what the checkpoint can draw", "1", words))
    return lines


def row(title: str, subjects: str, cells: list[dict[str, Any]]) -> str:
    means = [f"{sum(c[f]['value'] for c in cells) / len(cells):.2f}" for f in FIGURES]
    numbers = [mean_of(c.get(f) for c in cells) for f in ("steps", "seconds", "peak_mib", "file_kib")]
    return f"| {' | '.join([title, subjects, *means, *numbers])} |"


def one_rate(cells: dict[str, Any]) -> list[str]:
    """The cells of benchmarks.plain_lora, a row a run, and the mean of each variant."""
    lines = ["| LoRA | subject | seed | fidelity | place asked for | drift | diversity |",
             "|---|---|---|---|---|---|---|"]
    variants: dict[str, list[dict[str, Any]]] = {}
    for name, c in cells.items():
        variants.setdefault(name.split(" | ")[0], []).append(c)
    for variant, own in variants.items():
        for c in sorted(own, key=lambda c: (list(SUBJECTS).index(c["subject"]), c["seed"])):
            figures = [f"{c[f]['value']:.2f} ± {c[f]['error']:.2f}" for f in FIGURES[:2]]
            figures += [f"{c[f]['value']:.2f}" for f in FIGURES[2:4]]
            lines.append(f"| {' | '.join([variant, c['subject'], str(c['seed']), *figures])} |")
        means = [f"**{sum(c[f]['value'] for c in own) / len(own):.2f}**" for f in FIGURES[:4]]
        lines.append(f"| **{variant}** | **mean of {len(own)} runs** | | {' | '.join(means)} |")
    return lines


def strips(cells: list[dict[str, Any]]) -> list[str]:
    """What each method drew."""
    shown: list[str] = []
    for name, method in methods.all_methods().items():
        for subject in (c["subject"] for c in cells if c["method"] == name):
            if (picture := picture_of(name, subject)).exists():
                shown += [
                    "", f"{method.title}, {subject}:", "", f"![{method.title}, {subject}](quality/{picture.name})"
                ]
    return shown[1:]


def write_page() -> None:
    """From the kept cells of this and of two smaller benchmarks."""
    cells, words, plain = (Table(DOCS / f"{name}.json").cells for name in ("quality", "known_word", "plain_lora"))
    made = list(cells.values())
    write_parts(PAGE, {"table": table(made, list(words.values())), "one rate": one_rate(plain),
                       "pictures": strips(made)})


def main(arguments: list[str]) -> int:
    if arguments == ["page"]:
        write_page()
        return 0
    wanted = arguments[0].split(",") if arguments and arguments[0] else list(methods.all_methods())
    subjects = [SUBJECTS[n] for n in (arguments[1].split(",") if len(arguments) > 1 else SUBJECTS)]
    kept, judge = Table(DOCS / "quality.json"), Judge()
    for name in wanted:
        for subject in subjects:
            # A folder for each cell: a word learned in one would be read in the prompts of the next.
            with tempfile.TemporaryDirectory() as folder:
                host = Standalone(Path(folder))
                run = run_for(host, subject, name)
                made = kept.cell(f"{name} {subject.name}", run, partial(cell, host, judge, subject, run))
            print(f"{name:18} {subject.name:6} fidelity {made['fidelity']['value']:.2f}  setting "
                  f"{made['prompt_fidelity']['value']:.2f}  {mean_of([made['seconds']])} s", flush=True)
    write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
