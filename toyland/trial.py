"""One method on one subject: trained with toyland's preset, then drawn and judged."""

import time
from pathlib import Path
from typing import Any

from extension_lib import methods
from extension_lib.config.presets import defaults
from extension_lib.config.run import Run
from extension_lib.host import find_checkpoint
from extension_lib.hosts.standalone import Standalone
from extension_lib.runs import job as jobs
from extension_lib.runs.start import RESTART_OVERWRITE, start_run, workspace_for

from .judge import Judge
from .measure import COUNT, Figures, measured
from .subjects import Subject


def name_of(method: str, subject: Subject) -> str:
    """A method that learns a word learns the subject's own."""
    return subject.word if methods.all_methods()[method].product.learns_words else subject.name


def run_for(host: Standalone, subject: Subject, method: str = "lora", **sections: Any) -> Run:
    """The run of toyland's preset on a subject's pictures; sections change it."""
    base = find_checkpoint(host, "toyland")
    run = defaults(method, base.preset).with_values({
        "output": {"name": name_of(method, subject)}, "base": {"checkpoint": base.title},
        "concepts": [{"folder": str(subject.folder), "class_prompt": f"a {subject.kind}"}],
        "previews": {"preview_every": 0}})
    return run.with_values(sections)


def train(host: Standalone, run: Run, say: Any = None) -> jobs.Job:
    """Trains to the end; say is called with a line of progress now and then. Returns the ended job."""
    job = start_run(run, host, workspace_for(run, host), RESTART_OVERWRITE)
    told = 0.0
    while not job.wait(timeout=1.0):
        if say and job.step and time.monotonic() - told > 10:
            told, left = time.monotonic(), job.seconds_left() or 0.0
            say(f"  step {job.step} of {run.training.steps}, {left:.0f} s left")
    for warning in job.summary.warnings if say else ():
        say(f"  {warning.message}")
    return job


def seconds_of(job: jobs.Job) -> float:
    """How long it trained. Raises RuntimeError, saying why, for a run that failed."""
    if job.ended is None or job.ended.failed:
        raise RuntimeError(job.ended.why if job.ended else "The run did not end.")
    return job.summary.seconds_trained()


def files_of(job: jobs.Job) -> list[Path]:
    return [copy.saved.path for copy in job.summary.copies]


def tag(run: Run, weight: float = 1.0) -> str:
    """What to type beside the prompt."""
    text = run.method.product.tag
    return text.format(name=run.output.name, weight=weight) if weight else ""


def judged(host: Standalone, judge: Judge, subject: Subject, run: Run, weight: float = 1.0,
           count: int = COUNT) -> Figures:
    """The figures of what a run left; a checkpoint is loaded for it, and the base again afterwards."""
    own = run.method.product.is_checkpoint
    if own:
        host.load(find_checkpoint(host, run.output.name))
    try:
        return measured(host.draw, judge, subject, tag(run, weight), count)
    finally:
        if own:
            host.load(find_checkpoint(host, "toyland"))
