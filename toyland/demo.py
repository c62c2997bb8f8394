"""`make demo`: trains a LoRA on the ghost, draws weight against step, and says what came out."""

import json
import sys
import time
from pathlib import Path

from extension_lib import workspace
from extension_lib.compare.grid import Plan, copies, drawn
from extension_lib.disk import write_text
from extension_lib.events import Saved, Stepped, Warned
from extension_lib.host import Picture, chosen
from extension_lib.hosts.standalone import Standalone
from extension_lib.presets import defaults
from extension_lib.run import Run
from extension_lib.training import job as jobs
from extension_lib.training.begin import decided

from .judge import Judge
from .measure import CFG, STEPS, Figures, measured
from .subjects import SUBJECTS, Subject

OUT = Path("demo-out")
WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)


def run_for(host: Standalone, subject: Subject) -> Run:
    """The run of toyland's preset on a subject's pictures."""
    base = chosen(host, "toyland")
    return defaults("lora", base.preset).with_values({
        "output": {"name": subject.name, "again": "over", "existing": "overwrite"}, "base": {"checkpoint": base.title},
        "concepts": [{"folder": str(subject.folder), "class_prompt": f"a {subject.kind}"}],
        "previews": {"preview_every": 0}})


def train(host: Standalone, run: Run) -> jobs.Job:
    """Trains with a line of progress now and then; returns the ended job."""
    root = host.folders.workspaces
    known = run.output.name in workspace.names(root)
    space = workspace.opened(root, run.output.name) if known else workspace.create(root, run.output.name, run)
    job = jobs.start(decided(run, host, space), host, space, chosen(host, run.base.checkpoint))
    told = 0.0
    while not job.wait(timeout=2.0):
        if job.step and time.monotonic() - told > 10:
            told, left = time.monotonic(), job.seconds_left() or 0.0
            print(f"  step {job.step} of {run.training.steps}, {left:.0f} s left", flush=True)
    for event in job.history:
        if isinstance(event, Warned):
            print(" ", event.message)
    return job


def main() -> int:
    started = time.monotonic()
    OUT.mkdir(exist_ok=True)
    host, subject = Standalone(OUT / "studio"), SUBJECTS["ghost"]
    run = run_for(host, subject).with_values({"saving": {"save_every": 100}})
    print(f"Training a LoRA on {len(list(subject.folder.glob('*.png')))} pictures of {subject.prompt} ...", flush=True)
    job = train(host, run)
    ended = job.ended
    if ended is None or ended.failed:
        print(ended.why if ended else "The run did not end.", file=sys.stderr)
        return 1
    seconds_train = job.times[-1][0] - job.times[0][0]
    files = [str(e.path) for e in job.history if isinstance(e, Saved)]
    print("Drawing weight against step ...", flush=True)
    picture = Picture("", steps=STEPS, cfg=CFG, width=64, height=64)
    plan = Plan(copies(host.folders.lora, subject.name), WEIGHTS, (f"{subject.prompt} on the beach",), (1,), picture)
    grid = OUT / "weight-by-step.png"
    next(image for _, image in drawn(plan, host) if image).save(grid)
    print("Judging 64 pictures at every weight ...", flush=True)
    judge = Judge()
    figures = {f"{w:g}": measured(host.draw, judge, subject, f"<lora:{subject.name}:{w:g}>" if w else "") for w in WEIGHTS}
    seconds_total = time.monotonic() - started
    report(figures, seconds_train, seconds_total)
    summary = {
        "fidelity": {w: round(f.fidelity.value, 4) for w, f in figures.items()},
        "prompt_fidelity": round(figures["1"].prompt_fidelity.value, 4),
        "figures": {w: f.as_dict() for w, f in figures.items()},
        "steps": len([e for e in job.history if isinstance(e, Stepped)]),
        "seconds_train": round(seconds_train, 1), "seconds_total": round(seconds_total, 1),
        "files": [*files, str(grid)],
    }
    write_text(OUT / "summary.json", json.dumps(summary, indent=2) + "\n")
    print("\nFiles:", *(f"  {f}" for f in summary["files"]), f"  {OUT / 'summary.json'}", sep="\n")
    return 0


def report(figures: dict[str, Figures], seconds_train: float, seconds_total: float) -> None:
    print("\nweight   fidelity        setting asked for  diversity")
    for weight, f in figures.items():
        print(f"{weight:>6}   {f.fidelity}   {f.prompt_fidelity}      {f.diversity}")
    print("fidelity: 0 = what the base draws for 'a ghost', 1 = the subject itself")
    print(f"\n{seconds_train:.0f} s of training, {seconds_total:.0f} s in all")


if __name__ == "__main__":
    sys.exit(main())
