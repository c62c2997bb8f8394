"""Where a run's results go: the file for the prompt, its card, and the state to go on from."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..compare.series import copy_name
from ..config.run import Run
from ..data.batches import Batches
from ..errors import is_expected
from ..events import Event, Paused, Saved, Warned
from ..export import card, verify
from ..export.products import OutputFile, output_files, words_learned
from ..export.provenance import Provenance
from ..host import Checkpoint, Host
from ..methods.base import Trainable
from ..model import Model
from ..training.guard import Guard
from ..training.loop import StartPoint
from ..training.optimizer import Optimizer
from ..workspaces.workspace import Workspace
from . import state
from .naming import saved_copies
from .pause import Progress, delete_state_before_pause, restore_state_before_pause, write_pause_state

COMPUTE_NAMES = {"torch.float16": "fp16", "torch.bfloat16": "bf16"}  # in a file's header; "no" for full precision


@dataclass
class RunFiles:
    """Saves what a run learns, verifies each file with the host's loader, and keeps the state to continue from."""

    run: Run
    host: Host
    workspace: Workspace
    checkpoint: Checkpoint
    model: Model
    batches: Batches
    progress: Progress = field(default_factory=Progress)
    restart: bool = False
    earlier_steps: int = 0  # of earlier schedules in this workspace
    draw_card_picture: Callable[[bool], Any] = lambda final: None  # final: for the files that the run ends with

    def resume(self, trainable: Trainable, optimizer: Optimizer) -> StartPoint:
        """Continues from the workspace's state, unless there is none or the run starts over; the state then stays until
        the first save replaces it. Raises StateError when it does not fit this run."""
        restart = self.restart and self.progress.first_step is None
        start = StartPoint() if restart else self.restore_state(trainable, optimizer)
        if self.progress.first_step is None:
            self.progress.started, self.progress.first_step = time.time(), start.step
            delete_state_before_pause(self.workspace)
        return replace(start, first_step=self.progress.first_step)

    def restore_state(self, trainable: Trainable, optimizer: Optimizer) -> StartPoint:
        """Loads the saved state; returns the step at which it was saved."""
        if not self.workspace.state.exists():
            return StartPoint()
        saved = state.read_state(self.workspace.state)
        if saved["method"] != self.run.method.name:
            raise state.StateError(
                f"The workspace was trained with {saved['method']}, not with {self.run.method.name}. "
                "Start over, or go back to that method.")
        try:
            trainable.load_state_dict(saved["trained"])
            optimizer.load_state_dict(saved["optimizer"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise state.StateError(f"The earlier training does not match these settings ({error}). Use the settings it "
                                   "was trained with, or start over.") from None
        unfinished = saved["step"] < self.run.training.steps
        step = saved["step"] if unfinished else 0
        self.earlier_steps = saved["lifetime"] - step
        return StartPoint(step, self.earlier_steps)

    def save(self, step: int, trainable: Trainable, optimizer: Optimizer, final: bool) -> Iterator[Event]:
        """Writes the state and each file. One that cannot be written is a warning, and the run goes on; what was saved
        before stays whole."""
        lifetime = self.earlier_steps + step
        picture = cache(partial(self.draw_card_picture, final))  # drawn once for all files
        for writing in (self.save_state(step, trainable, optimizer),
                        *(self.save_part(part, trainable, lifetime, final, picture) for part in output_files(self.run)),
                        self.delete_old_copies(lifetime)):
            with Guard(f"Saving at step {step}") as guard:
                yield from writing
            if guard.error:
                is_sentence = is_expected(guard.error)
                yield Warned(guard.reason if is_sentence else f"Saving at step {step} failed: {guard.reason}")

    def save_state(self, step: int, trainable: Trainable, optimizer: Optimizer) -> Iterator[Event]:
        state.write_state(self.workspace.state, self.state_tree(step, trainable, optimizer))
        self.workspace.update_about(lifetime=self.earlier_steps + step, checkpoint=self.checkpoint.title)
        self.progress.before_pause = None
        delete_state_before_pause(self.workspace)
        yield from ()

    def state_tree(self, step: int, trainable: Trainable, optimizer: Optimizer) -> dict[str, Any]:
        return {"method": self.run.method.name, "step": step, "lifetime": self.earlier_steps + step,
                "trained": trainable.state_dict(), "optimizer": optimizer.state_dict()}

    def pause(self, step: int, trainable: Trainable, optimizer: Optimizer) -> Paused | Warned:
        """Writes the state alone. The state that it replaces is kept until the next save."""
        tree = self.state_tree(step, trainable, optimizer)
        with Guard(f"Pausing after step {step}") as guard:
            if self.progress.before_pause is None:
                self.progress.before_pause = write_pause_state(self.workspace, tree)
            else:
                state.write_state(self.workspace.state, tree)
            self.workspace.update_about(lifetime=self.earlier_steps + step, checkpoint=self.checkpoint.title)
            return Paused(step)
        return Warned(f"Training continues, because it could not be paused: {guard.reason}")

    def discard(self) -> None:
        restore_state_before_pause(self.workspace, self.progress)

    def save_part(self, part: OutputFile, trainable: Trainable, lifetime: int, final: bool,
                  draw_picture: Callable[[], Any]) -> Iterator[Event]:
        """Writes the files of one kind and verifies each with the host's own loader. Raises SaveError."""
        stems = [stem if final else copy_name(stem, lifetime) for stem in part.stems(self.run)]
        paths = [part.path(self.host.folders, stem) for stem in stems]
        for path in paths:
            self.host.forget(path)
        about = self.describe(lifetime, stems[0])
        part.write(paths, trainable, about)
        for path, expected in zip(paths, part.expected(trainable)):
            picture = draw_picture()
            if part.card:
                card.write_card(path, about)
            if picture is not None:
                card.write_card_picture(path.with_suffix(part.picture), picture)
            yield Saved(lifetime, path)
            yield from self.verify_file(part, path, expected)

    def verify_file(self, part: OutputFile, path: Path, expected: Mapping[str, Tensor]) -> list[Event]:
        with Guard(f"Reading back {path.name}") as guard:
            held = verify.less_precise(self.run.saving.precision, COMPUTE_NAMES.get(str(self.model.compute), "fp32"))
            lines = verify.differences(self.host.read_back(path, part.kind), expected, held)
        return verify.verdict_events(path.name, [guard.reason] if guard.error else lines)

    def delete_old_copies(self, lifetime: int) -> Iterator[Event]:
        """Lets the host list the new files, and keeps the last few copies up to this step."""
        self.host.refresh()
        keep = self.run.saving.keep_last
        for part in output_files(self.run) if keep else ():
            for stem in part.stems(self.run):
                latest = copy_name(stem, lifetime)  # an earlier run may have left copies of later steps
                for path in [p for p in saved_copies(part, self.host.folders, stem) if p.stem <= latest][:-keep]:
                    self.host.forget(path)
                    for suffix in (part.suffix, ".json", part.picture):
                        path.with_suffix(suffix).unlink(missing_ok=True)
        yield from ()

    def describe(self, lifetime: int, stem: str) -> Provenance:
        """Counted as kohya's scripts count: pictures as often as they are repeated, tags in lower case."""
        items, run, per_epoch = self.batches.items, self.run, self.batches.per_epoch
        folders: dict[str, tuple[int, int]] = {}
        tags: dict[str, Counter] = {}
        buckets: Counter = Counter()
        for item in items:
            name = item.path.parent.name
            folders[name] = (item.repeats, folders.get(name, (0, 0))[1] + 1)
            tags.setdefault(name, Counter()).update(t.strip().lower() for t in item.prompt.split(",") if t.strip())
            buckets[self.batches.plan.size_of(item)] += item.repeats
        last, batches = self.earlier_steps + run.training.steps, lifetime * run.training.accumulation
        return Provenance(
            run=replace(run, output=replace(run.output, name=stem)), family=self.model.family,
            prediction=self.model.diffusion.prediction, checkpoint=self.checkpoint.path,
            checkpoint_hash=self.checkpoint.sha256, step=lifetime, last_step=last,
            epoch=-(-batches // per_epoch) if lifetime == last else batches // per_epoch,  # begun at the end, else done
            pictures=sum(item.repeats for item in items), class_pictures=len(self.batches.classes),
            compute=COMPUTE_NAMES.get(str(self.model.compute), "no"), per_epoch=per_epoch, folders=folders,
            tags={name: dict(counts) for name, counts in tags.items()}, buckets=dict(buckets),
            started=self.progress.started, finished=time.time(), words=words_learned(run), name=run.output.name)
