"""`make demo`: trains a LoRA on the ghost, draws weight against step, and says what came out."""

import json
import sys
import time
from pathlib import Path

from extension_lib.compare.grid import GridPlan
from extension_lib.compare.series import find_series
from extension_lib.compare.sheet import draw_sheet
from extension_lib.host import Picture
from extension_lib.hosts.standalone import Standalone
from extension_lib.support.disk import write_text

from .judge import Judge
from .measure import CFG, COUNT, STEPS, Figure, Figures, fidelity, pictures, prompts
from .subjects import SUBJECTS
from .trial import files_of, judged, run_for, seconds_of, tag, train

OUT = Path("demo-out")
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)


def main() -> int:
    started = time.monotonic()
    OUT.mkdir(exist_ok=True)
    host, subject = Standalone(OUT / "studio"), SUBJECTS["ghost"]
    run = run_for(host, subject, saving={"save_every": 100})
    print(f"Training a LoRA on {len(list(subject.folder.glob('*.png')))} pictures of {subject.prompt} ...", flush=True)
    job = train(host, run, say=lambda line: print(line, flush=True))
    try:
        seconds_train = seconds_of(job)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    files = [str(path) for path in files_of(job)]
    print("Drawing weight against step ...", flush=True)
    picture = Picture("", steps=STEPS, cfg=CFG, width=64, height=64)
    series = next(s for s in find_series(host.folders) if s.label == subject.name)
    plan = GridPlan(series, WEIGHTS, (f"{subject.prompt} on the beach",), (1,), picture)
    grid = OUT / "weight-by-step.png"
    draw_sheet(plan, host).save(grid)
    print(f"Judging {COUNT} pictures at every weight ...", flush=True)
    judge = Judge()
    by_weight = {w: fidelity(judge, subject, host.draw(pictures(prompts(subject), tag(run, w))))
                 for w in WEIGHTS if w < 1}
    figures = judged(host, judge, subject, run)
    by_weight[1.0] = figures.fidelity
    seconds_total = time.monotonic() - started
    report(by_weight, figures, seconds_train, seconds_total)
    summary = {
        "fidelity": {f"{w:g}": round(f.value, 4) for w, f in by_weight.items()},
        "prompt_fidelity": round(figures.prompt_fidelity.value, 4),
        "figures": figures.as_dict(),
        "steps": job.step,
        "seconds_train": round(seconds_train, 1), "seconds_total": round(seconds_total, 1),
    }
    files.append(str(grid))
    write_text(OUT / "summary.json", json.dumps({**summary, "files": files}, indent=2) + "\n")
    print("\nFiles:", *(f"  {f}" for f in files), f"  {OUT / 'summary.json'}", sep="\n")
    return 0


def report(by_weight: dict[float, Figure], figures: Figures, seconds_train: float, seconds_total: float) -> None:
    print("\nweight   fidelity")
    for weight, figure in by_weight.items():
        print(f"{weight:>6g}   {figure}")
    print("fidelity: 0 = what the base draws for 'a ghost', 1 = the subject itself")
    print(f"At weight 1: setting asked for {figures.prompt_fidelity}, drift of the class word {figures.drift}, "
          f"diversity {figures.diversity}")
    print(f"\n{seconds_train:.0f} s of training, {seconds_total:.0f} s in all")


if __name__ == "__main__":
    sys.exit(main())
