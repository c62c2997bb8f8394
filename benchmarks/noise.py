"""What settings of noise and loss do to a LoRA: the preset with one of them changed, over subjects.

`python -m benchmarks.noise [subjects] [seeds] [variants]`, commas between names. Cells are kept in docs/noise.json as
they end; the table goes into docs/sweep.md.
"""

import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from extension_lib.hosts.standalone import Standalone
from toyland.judge import Judge
from toyland.subjects import SUBJECTS
from toyland.trial import run_for

from .cells import DOCS, Table, mean_of, table, write_parts
from .plain_lora import cell

PAGE = DOCS / "sweep.md"
VARIANTS: dict[str, dict[str, Any]] = {
    "the preset (squared with min-SNR 5)": {},
    "no weighting": {"weighting": "none"},
    "debiased": {"weighting": "debiased"},
    "Huber by snr": {"loss": "huber"},
    "Huber exponential": {"loss": "huber", "huber_schedule": "exponential"},
    "Huber constant": {"loss": "huber", "huber_schedule": "constant"},
    "smooth L1 by snr": {"loss": "smooth L1"},
    "noise offset 0.05": {"noise_offset": 0.05},
    "multi-resolution noise of 6 levels": {"multires_levels": 6},
    "input perturbation 0.1": {"input_perturbation": 0.1},
    "timesteps 200 to 999": {"min_timestep": 200},
    "timesteps 0 to 799": {"max_timestep": 800},
    "min-SNR 1": {"min_snr_gamma": 1.0},
    "min-SNR 20": {"min_snr_gamma": 20.0},
}
SEEDS = ("0",)
FIGURES = {"fidelity": "fidelity", "prompt_fidelity": "place asked for", "drift": "drift", "diversity": "diversity"}


def lines(cells: dict[str, Any]) -> Iterator[list[str]]:
    """A line for each variant that was tried: figures of all its subjects and seeds in their order."""
    for variant in VARIANTS:
        tried = [made for name, made in cells.items() if name.rpartition(" | ")[0].rpartition(" | ")[0] == variant]
        if tried:
            yield [variant, *(" / ".join(f"{made[figure]['value']:.2f}" for made in tried) for figure in FIGURES),
                   mean_of([made["seconds"] for made in tried])]


def main(arguments: list[str]) -> int:
    lists: list[list[str]] = [["ghost", "robot"], list(SEEDS), list(VARIANTS)]
    lists[:len(arguments)] = [argument.split(",") for argument in arguments]
    subjects, seeds, variants = lists
    kept, judge = Table(DOCS / "noise.json"), Judge()
    with tempfile.TemporaryDirectory() as folder:
        host = Standalone(Path(folder))
        for seed, variant, subject in product(seeds, variants, subjects):
            values = {"noise": VARIANTS[variant], "training": {"seed": int(seed)}}
            run = run_for(host, SUBJECTS[subject], "lora").with_values(values)
            made = kept.cell(f"{variant} | {subject} | {seed}", run, partial(cell, host, judge, SUBJECTS[subject], run))
            print(f"{variant:32} {subject:6} seed {seed} fidelity {made['fidelity']['value']:.2f}", flush=True)
            write_parts(PAGE, {"noise": table(["LoRA with", *FIGURES.values(), "seconds"], lines(kept.cells))})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
