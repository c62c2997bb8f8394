"""Where a run's results go: the file for the prompt, its card, and the state to go on from."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..compare.series import copy_name
from ..config.run import Run
from ..data.batches import Batches
from ..errors import is_expected
from ..events import Autosaved, Event, Paused, Saved, Warned
from ..export import card, verify
from ..export.products import OutputFile, output_files, words_learned
from ..export.provenance import Provenance
from ..host import Checkpoint, Host
from ..methods.base import Trainable
from ..model import Model
from ..training.guard import Guard
from ..training.loop import StartPoint
from ..training.optimizer import Optimizer
from ..training.ranks import ALONE, Ranks, Task
from ..workspaces.saved_files import saved_files
from ..workspaces.standing import next_number, promote_newest
from ..workspaces.workspace import FILES_SAVED, Workspace
from . import state
from .changes import Inputs, changed_since, inputs_of
from .naming import saved_copies

COMPUTE_NAMES = {"torch.float16": "fp16", "torch.bfloat16": "bf16"}  # in a file's header; "no" for full precision


@dataclass
class Progress:
    """What a run remembers while the model is given back."""

    started: float = 0.0  # the time before its first step
    first_step: int | None = None  # the step at which it started


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
    ranks: Ranks = ALONE

    def resume(self, trainable: Trainable, optimizer: Optimizer) -> StartPoint:
        """Continues from the workspace's newest state, unless there is none or the run starts over; the state then
        stays until the first save replaces it. Raises StateError when it does not fit this run."""
        if self.progress.first_step is not None:  # after a pause
            return replace(self.restore_state(trainable, optimizer), first_step=self.progress.first_step, changes=())
        start = StartPoint() if self.restart else self.restore_state(trainable, optimizer)
        if self.ranks.leads:
            promote_newest(self.workspace.folder)
        if self.ranks.together:
            self.ranks.begin(Task(self.run, self.workspace, self.checkpoint, self.restart, self.facts(start)))
        self.progress.started, self.progress.first_step = time.time(), start.step
        return replace(start, first_step=start.step)

    def restore_state(self, trainable: Trainable, optimizer: Optimizer) -> StartPoint:
        """Loads the newest state; returns the step at which it was saved.

        A run whose last step was saved begins another schedule, unless its files are still missing.
        """
        saved = state.read_newest(self.workspace)
        if saved is None:
            return StartPoint()
        missing = self.workspace.files_missing
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
        step = saved["step"] if missing or saved["step"] < self.run.training.steps else 0
        self.earlier_steps = saved["lifetime"] - step
        return StartPoint(step, self.earlier_steps, files_missing=missing and step > 0,
                          changes=changed_since(saved, self.inputs))

    def facts(self, start: StartPoint) -> dict[str, object]:
        """What must be the same in all processes that train on it."""
        return {"pictures": (self.inputs.pictures, len(self.batches.classes)), "captions": self.inputs.captions,
                "state": (start.step, self.earlier_steps), "device": self.model.device.type}

    def save(self, step: int, trainable: Trainable, optimizer: Optimizer, final: bool) -> Iterator[Event]:
        """Writes the state and each file. One that cannot be written is a warning, and the run goes on; what was saved
        before stays whole."""
        lifetime, complete = self.earlier_steps + step, True
        picture = cache(partial(self.draw_card_picture, final))  # drawn once for all files
        for writing in (self.save_state(step, trainable, optimizer),
                        *(within(optimizer.averaged(trainable),
                                 self.save_part(part, trainable, lifetime, final, picture))
                          for part in output_files(self.run)),
                        self.delete_old_copies(lifetime)):
            with Guard(f"Saving at step {step}") as guard:
                yield from writing
            if guard.error:
                complete, is_sentence = False, is_expected(guard.error)
                yield Warned(guard.reason if is_sentence else f"Saving at step {step} failed: {guard.reason}")
        if complete:
            yield from self.note_files_saved()

    def save_state(self, step: int, trainable: Trainable, optimizer: Optimizer) -> Iterator[Event]:
        state.write_state(self.workspace.state, self.state_tree(step, trainable, optimizer))
        self.workspace.kept.unlink(missing_ok=True)  # it is older
        yield from ()

    def note_files_saved(self) -> Iterator[Warned]:
        """Until this is noted, a run that continues writes the files again, before anything else."""
        newest = self.workspace.newest_state()
        with Guard("Noting what was saved") as guard:
            self.workspace.update_about(**{FILES_SAVED: newest.number if newest else 0})
        if guard.error:
            yield Warned(guard.reason)

    def state_tree(self, step: int, trainable: Trainable, optimizer: Optimizer) -> dict[str, Any]:
        return {"number": next_number(self.workspace.folder), "method": self.run.method.name, "step": step,
                "lifetime": self.earlier_steps + step, "family": self.model.family.name, **self.inputs.as_tree(),
                "trained": trainable.state_dict(), "optimizer": optimizer.state_dict()}

    @cached_property
    def inputs(self) -> Inputs:
        return inputs_of(self.run, self.checkpoint, [*self.batches.items, *self.batches.held_out])

    def keep(self, step: int, trainable: Trainable, optimizer: Optimizer) -> Autosaved | Warned:
        """Writes the state alone, beside that of the last save."""
        with Guard(f"Keeping step {step}") as guard:
            state.write_state(self.workspace.kept, self.state_tree(step, trainable, optimizer))
            return Autosaved(step)
        return Warned(f"What was learned up to step {step} could not be kept: {guard.reason}")

    def pause(self, step: int, trainable: Trainable, optimizer: Optimizer) -> Paused | Warned:
        kept = self.keep(step, trainable, optimizer)
        if isinstance(kept, Autosaved):
            return Paused(step)
        return Warned(f"Training continues, because it could not be paused: {kept.message}")

    def discard(self) -> None:
        self.workspace.kept.unlink(missing_ok=True)

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
        own = {path for path in saved_files(self.workspace) if path.exists()} if keep else set()
        for part in output_files(self.run) if keep else ():
            for stem in part.stems(self.run):
                latest = copy_name(stem, lifetime)  # an earlier run may have left copies of later steps
                copies = [p for p in saved_copies(part, self.host.folders, stem) if p in own and p.stem <= latest]
                for path in copies[:-keep]:
                    self.host.forget(path)
                    for file in (path, *filter(Path.is_file, part.beside(path))):
                        file.unlink(missing_ok=True)
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
            started=self.progress.started, finished=time.time(), words=words_learned(run), name=run.output.name,
            processes=self.ranks.share.count)


def within(context: AbstractContextManager[None], events: Iterator[Event]) -> Iterator[Event]:
    with context:
        yield from events
