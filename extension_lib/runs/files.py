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
from ..data.folder import folder_repeats
from ..errors import is_expected
from ..events import Event, Paused, Saved, Warned
from ..export import card, verify
from ..export.products import Part, parts_of, words_learned
from ..export.provenance import About
from ..host import Checkpoint, Host
from ..methods.base import Trainable
from ..model import Model
from ..support.disk import path_from_text
from ..training.guard import Guard
from ..training.loop import StartPoint
from ..training.optimizer import Optimizer
from ..workspaces.workspace import Workspace
from . import state
from .naming import saved_copies
from .pause import Progress, delete_state_before_pause, restore_state, write_pause_state

COMPUTE_NAMES = {"torch.float16": "fp16", "torch.bfloat16": "bf16"}  # what a header calls computing in half precision; else "no"


@dataclass
class RunFiles:
    """Saves what a run learns, proves each file with the host's loader, and keeps the state to go on from."""

    run: Run
    host: Host
    workspace: Workspace
    checkpoint: Checkpoint
    model: Model
    batches: Batches
    kept: Progress = field(default_factory=Progress)
    restart: bool = False
    before: int = 0
    picture: Callable[[bool], Any] = lambda final: None  # for the cards; final: of what the run ends with

    def resume(self, trainable: Trainable, optimizer: Optimizer) -> StartPoint:
        """Goes on from the workspace's state when there is one, unless the run starts over: then that state stays until the
        first save takes its place. Raises StateError when it does not fit this run."""
        restart = self.restart and self.kept.first is None
        start = StartPoint() if restart else self.stand(trainable, optimizer)
        if self.kept.first is None:
            self.kept.started, self.kept.first = time.time(), start.step
            delete_state_before_pause(self.workspace)
        return replace(start, first=self.kept.first)

    def stand(self, trainable: Trainable, optimizer: Optimizer) -> StartPoint:
        """Where the state stands, after putting it back."""
        if not self.workspace.state.exists():
            return StartPoint()
        saved = state.read_state(self.workspace.state)
        if saved["method"] != self.run.method.name:
            raise state.StateError(f"The workspace was trained as {saved['method']}, not as {self.run.method.name}. "
                                   "Start over, or go back to that method.")
        try:
            trainable.load_state_dict(saved["trained"])
            optimizer.load_state_dict(saved["optimizer"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise state.StateError(f"What was trained does not fit these settings ({error}). Use the method's settings of "
                                   "before, or start over.") from None
        unfinished = saved["step"] < self.run.training.steps
        step = saved["step"] if unfinished else 0
        self.before = saved["lifetime"] - step
        return StartPoint(step, self.before)

    def save(self, step: int, trainable: Trainable, optimizer: Optimizer, final: bool) -> Iterator[Event]:
        """Writes state and files, each by itself: what a full disk has no room for is a warning, and the run goes on. What was
        saved earlier stays whole."""
        lifetime = self.before + step
        picture = cache(partial(self.picture, final))  # drawn once for all parts, when the first is written
        for writing in (self.save_state(step, trainable, optimizer),
                        *(self.save_part(part, trainable, lifetime, final, picture) for part in parts_of(self.run)),
                        self.delete_old_copies(lifetime)):
            with Guard(f"Saving at step {step}") as guard:
                yield from writing
            if guard.error:
                yield Warned(guard.reason if is_expected(guard.error) else f"Saving at step {step} failed: {guard.reason}")

    def save_state(self, step: int, trainable: Trainable, optimizer: Optimizer) -> Iterator[Event]:
        state.write_state(self.workspace.state, self.tree(step, trainable, optimizer))
        self.workspace.update_about(lifetime=self.before + step, checkpoint=self.checkpoint.title)
        self.kept.earlier = None
        delete_state_before_pause(self.workspace)
        yield from ()

    def tree(self, step: int, trainable: Trainable, optimizer: Optimizer) -> dict[str, Any]:
        return {"method": self.run.method.name, "step": step, "lifetime": self.before + step,
                "trained": trainable.state_dict(), "optimizer": optimizer.state_dict()}

    def pause(self, step: int, trainable: Trainable, optimizer: Optimizer) -> Paused | Warned:
        """Writes the state alone. What it replaces is kept until something is saved."""
        tree = self.tree(step, trainable, optimizer)
        with Guard(f"Pausing after step {step}") as guard:
            if self.kept.earlier is None:
                self.kept.earlier = write_pause_state(self.workspace, tree)
            else:
                state.write_state(self.workspace.state, tree)
            self.workspace.update_about(lifetime=self.before + step, checkpoint=self.checkpoint.title)
            return Paused(step)
        return Warned(f"The run goes on, because it could not be paused: {guard.reason}")

    def discard(self) -> None:
        restore_state(self.workspace, self.kept)

    def save_part(self, part: Part, trainable: Trainable, lifetime: int, final: bool,
                  drawn: Callable[[], Any]) -> Iterator[Event]:
        """The files of one kind, each proven by the host's own loader. Raises SaveError."""
        stems = [stem if final else copy_name(stem, lifetime) for stem in part.stems(self.run)]
        paths = [part.path(self.host.folders, stem) for stem in stems]
        for path in paths:
            self.host.forget(path)
        about = self.about(lifetime, stems[0])
        part.write(paths, trainable, about)
        for path, expected in zip(paths, part.expected(trainable)):
            picture = drawn()
            if part.card:
                card.write(path, about)
            if picture is not None:
                card.write_picture(path.with_suffix(part.picture), picture)
            yield Saved(lifetime, path)
            yield from self.verify_file(part, path, expected)

    def verify_file(self, part: Part, path: Path, expected: Mapping[str, Tensor]) -> list[Event]:
        with Guard(f"Reading back {path.name}") as guard:
            held = verify.coarser(self.run.saving.precision, COMPUTE_NAMES.get(str(self.model.compute), "fp32"))
            lines = verify.differences(self.host.read_back(path, part.kind), expected, held)
        return verify.verdict(path.name, [guard.reason] if guard.error else lines)

    def delete_old_copies(self, lifetime: int) -> Iterator[Event]:
        """Lists what is new; of the copies by step up to this one, keeps the last few."""
        self.host.refresh()
        keep = self.run.saving.keep_last
        for part in parts_of(self.run) if keep else ():
            for stem in part.stems(self.run):
                latest = copy_name(stem, lifetime)  # of a run before this one there may be copies of later steps
                for path in [p for p in saved_copies(part, self.host.folders, stem) if p.stem <= latest][:-keep]:
                    self.host.forget(path)
                    for suffix in (part.suffix, ".json", part.picture):
                        path.with_suffix(suffix).unlink(missing_ok=True)
        yield from ()

    def about(self, lifetime: int, stem: str) -> About:
        items, run = self.batches.items, self.run
        roots = [path_from_text(c.folder) for c in run.concepts]
        folders: dict[str, tuple[int, int]] = {}
        tags: dict[str, Counter] = {}
        for item in items:
            root = next((r for r in roots if item.path.is_relative_to(r)), item.path.parent)
            name = item.path.parent.name
            times = folder_repeats(item.path, root)[0]
            folders[name] = (times, folders.get(name, (0, 0))[1] + 1)
            tags.setdefault(name, Counter()).update(t.strip() for t in item.prompt.split(",") if t.strip())
        per_epoch = self.batches.per_epoch
        return About(
            run=replace(run, output=replace(run.output, name=stem)), family=self.model.family,
            prediction=self.model.diffusion.prediction, checkpoint=self.checkpoint.path, checkpoint_hash=self.checkpoint.sha256,
            step=lifetime, epoch=lifetime * run.training.accumulation // per_epoch, pictures=len(items),
            class_pictures=len(self.batches.classes), compute=COMPUTE_NAMES.get(str(self.model.compute), "no"), per_epoch=per_epoch,
            folders=folders, tags={n: dict(c) for n, c in tags.items()}, buckets=dict(Counter(map(self.batches.size_of, items))),
            started=self.kept.started, finished=time.time(), words=words_learned(run), name=run.output.name)

