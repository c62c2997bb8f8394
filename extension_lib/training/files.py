"""Where a run's results go: the file for the prompt, its card, and the state to go on from."""

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..data.batches import Batches
from ..data.buckets import bucket_of
from ..data.folder import folder_repeats
from ..disk import SaveError
from ..events import Event, Saved, Warned
from ..export import card, check, lora
from ..export.about import About
from ..host import Checkpoint, Host, HostError
from ..methods.base import Trainable
from ..model import Model
from ..run import Run
from ..workspace import Workspace
from . import state
from .loop import Start
from .optimizer import Optimizer

WRITERS: dict[str, Callable[[Path, Trainable, About], None]] = {"lora": lora.write}
STEP_SUFFIX = re.compile(r"-(\d{6})$")
SIDECARS = (".json", ".png")


def place(folder: Path, name: str, step: int | None = None) -> Path:
    """The file of a name; with a step, of its copy at that step."""
    return folder / (f"{name}.safetensors" if step is None else f"{name}-{step:06d}.safetensors")


def taken(folder: Path, name: str) -> bool:
    return any(folder.rglob(f"{glob_safe(name)}.safetensors"))


def glob_safe(name: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", name)


def next_version(folder: Path, name: str) -> str:
    """ghost, ghost-v2, ghost-v3, ...: the first that is free."""
    stem, number = re.sub(r"-v\d+$", "", name), 2
    while taken(folder, f"{stem}-v{number}"):
        number += 1
    return f"{stem}-v{number}" if taken(folder, name) else name


@dataclass
class RunFiles:
    """Saves what a run learns, proves each file with the host's loader, and keeps the state to go on from."""

    run: Run
    host: Host
    workspace: Workspace
    checkpoint: Checkpoint
    model: Model
    batches: Batches
    checkpoint_hash: str = ""
    started: float = 0.0
    before: int = 0
    picture: Callable[[], Any] = lambda: None  # the newest preview, for the card

    @property
    def folder(self) -> Path:
        return self.host.folders.lora

    def resume(self, trainable: Trainable, optimizer: Optimizer) -> Start:
        """Goes on from the workspace's state when there is one. Raises StateError when it does not fit this run."""
        self.started = time.time()
        if not self.workspace.state.exists():
            return Start(0, 0)
        saved = state.read(self.workspace.state)
        if saved["method"] != self.run.method.name:
            raise state.StateError(f"The workspace was trained as {saved['method']}, not as {self.run.method.name}. "
                                   "Start over, or go back to that method.")
        try:
            trainable.load_state_dict(saved["trained"])
            optimizer.load_state_dict(saved["optimizer"])
        except (KeyError, RuntimeError, ValueError) as error:
            raise state.StateError(f"What was trained does not fit these settings ({error}). Use the rank and targets "
                                   "of before, or start over.") from None
        unfinished = saved["step"] < self.run.training.steps
        step = saved["step"] if unfinished else 0
        self.before = saved["lifetime"] - step
        return Start(step, self.before)

    def save(self, step: int, trainable: Trainable, optimizer: Optimizer, final: bool) -> Iterator[Event]:
        """Writes state and file; a full disk is a warning, and the run goes on. What was saved earlier stays whole."""
        lifetime = self.before + step
        path = place(self.folder, self.run.output.name, None if final else lifetime)
        try:
            state.write(self.workspace.state, {"method": self.run.method.name, "step": step, "lifetime": lifetime,
                                               "trained": trainable.state_dict(), "optimizer": optimizer.state_dict()})
            self.workspace.remember(lifetime=lifetime, checkpoint=self.checkpoint.title)
            self.host.forget(path)
            about = self.about(lifetime, path.stem)
            WRITERS[self.run.method.product](path, trainable, about)
            card.write(path, about, picture=self.picture())
        except SaveError as error:
            yield Warned(str(error))
            return
        yield Saved(lifetime, path)
        yield from self.proof(path, trainable)
        self.host.refresh()
        self.tidy()

    def proof(self, path: Path, trainable: Trainable) -> list[Event]:
        try:
            lines = check.differences(self.host.deltas(path), trainable.deltas(), self.run.saving.precision)
        except HostError as error:
            lines = [str(error)]
        return check.verdict(path.name, lines)

    def tidy(self) -> None:
        """Of the copies by step, keeps the last few."""
        keep = self.run.saving.keep_last
        if keep:
            pattern = f"{glob_safe(self.run.output.name)}-[0-9][0-9][0-9][0-9][0-9][0-9].safetensors"
            for path in sorted(self.folder.glob(pattern))[:-keep]:
                self.host.forget(path)
                for suffix in (".safetensors", *SIDECARS):
                    path.with_suffix(suffix).unlink(missing_ok=True)

    def about(self, lifetime: int, stem: str) -> About:
        items, run = self.batches.items, self.run
        roots = [Path(c.folder).expanduser() for c in run.concepts]
        folders: dict[str, tuple[int, int]] = {}
        tags: dict[str, Counter] = {}
        for item in items:
            root = next((r for r in roots if item.path.is_relative_to(r)), item.path.parent)
            name = item.path.parent.name
            times = folder_repeats(item.path, root)[0]
            folders[name] = (times, folders.get(name, (0, 0))[1] + 1)
            tags.setdefault(name, Counter()).update(t.strip() for t in item.prompt.split(",") if t.strip())
        sizes = Counter(bucket_of(i.width, i.height, self.batches.sizes) for i in items)
        per_epoch = self.batches.per_epoch
        return About(
            run=replace(run, output=replace(run.output, name=stem)), family=self.model.family,
            prediction=self.model.diffusion.prediction, checkpoint=self.checkpoint.path, checkpoint_hash=self.checkpoint_hash,
            step=lifetime, epoch=lifetime * run.training.accumulation // per_epoch, pictures=len(items), per_epoch=per_epoch,
            folders=folders, tags={n: dict(c) for n, c in tags.items()}, buckets=dict(sizes),
            started=self.started, finished=time.time())

