"""LoRA with one learning rate for both matrices beside the preset, which has LoRA+, over seeds.

`python -m benchmarks.plain_lora [subjects] [seeds] [variants]`, commas between names. Cells are kept as they end, like
those of benchmarks.quality, which shows them in its page.
"""

import sys
import tempfile
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from extension_lib.config.run import Run
from extension_lib.hosts.standalone import Standalone
from toyland.judge import Judge
from toyland.subjects import SUBJECTS, Subject
from toyland.trial import judged, run_for, seconds_of, train

from .cells import DOCS, Table, mean_of

VARIANTS: dict[str, dict[str, Any]] = {
    "the preset": {}, "one rate": {"plus": 1.0, "unet_rate": 4e-3, "text_rate": 6e-4}}
SEEDS = ("0", "1")


def cell(host: Standalone, judge: Judge, subject: Subject, run: Run) -> dict[str, Any]:
    seconds = seconds_of(train(host, run))
    return {"subject": subject.name, "seed": run.training.seed, **judged(host, judge, subject, run).as_dict(),
            "seconds": round(seconds, 1)}


def main(arguments: list[str]) -> int:
    lists: list[list[str]] = [list(SUBJECTS), list(SEEDS), list(VARIANTS)]
    lists[:len(arguments)] = [argument.split(",") for argument in arguments]
    table, judge = Table(DOCS / "plain_lora.json"), Judge()
    with tempfile.TemporaryDirectory() as folder:
        host = Standalone(Path(folder))
        for subject, seed, variant in product(*lists):
            values = {"method": VARIANTS[variant], "training": {"seed": int(seed)}}
            run = run_for(host, SUBJECTS[subject], "lora").with_values(values)
            make = partial(cell, host, judge, SUBJECTS[subject], run)
            made = table.cell(f"{variant} | {subject} | {seed}", run, make)
            fidelity, place = (made[f]["value"] for f in ("fidelity", "prompt_fidelity"))
            print(f"{variant:10} {subject:6} seed {seed} fidelity {fidelity:.2f}  place {place:.2f}  "
                  f"{mean_of([made['seconds']])} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
