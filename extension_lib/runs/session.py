"""One run from settings to files: borrow the model, attach the method, train, verify what was saved."""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar, cast

from .. import memory
from ..config.run import Run, new_words_of
from ..data.batches import Batches
from ..data.cache import Cache
from ..data.folder import ConceptPictures, Item, finding_all_pictures
from ..data.pictures import load_picture
from ..diffusion.prompts import words_found
from ..events import Ended, Event, Paused, Prepared, Warned
from ..export.products import require_writable
from ..host import Checkpoint, Host, Picture, drawable_side
from ..methods.base import NewWord
from ..model import Model
from ..settings import SettingError
from ..training.alarms import with_alarms
from ..training.controls import Controls
from ..training.guard import Guard
from ..training.loop import train
from ..training.ranks import ALONE, Ranks
from ..workspaces.record import write_previews
from ..workspaces.workspace import CACHE, Log, Workspace
from . import class_pictures
from .files import Progress, RunFiles
from .fit import fit_of
from .preflight import require_folders, require_in_backward, require_optimizer, require_read, require_room


def require_learnable(words: tuple[NewWord, ...], items: list[Item], model: Model) -> Iterator[Warned]:
    """Raises SettingError for a word that the tokens of no prompt hold: it would never be learned."""
    names = {word.name: model.tokens(word.name) for word in words}
    found = set().union(*(words_found(names, model.tokens(prompt)) for item in items for prompt in item.prompts))
    for name, tokens in names.items():
        if name not in found:
            raise SettingError(
                f"No picture's prompt contains the new word {name!r}, so it would never be learned. "
                "Write [name] into the instance prompt, or choose the object or style sentences under "
                "Pictures.")
        if len(tokens) == 1 and tokens[0] < RARE_TOKEN:
            yield Warned(f"{name} is a word that every checkpoint knows, so each prompt with it will mean yours. A "
                         f"rare word, such as {name}zwx, is safer.")


def unlearned_end(run: Run, model: Model) -> Iterator[Warned]:
    """A warning where what a checkpoint with zero terminal SNR is made for would not be learned."""
    diffusion = model.diffusion
    if diffusion.zero_snr and diffusion.prediction == "v" and run.noise.weighting == "min-snr":
        yield Warned("With zero terminal SNR and v, min-snr leaves out the noise level without any signal, which "
                     "decides how bright a picture is. Set Weighting to none.")


def hash_checkpoint(checkpoint: Checkpoint) -> Generator[Prepared, None, Checkpoint]:
    """Returns the checkpoint with its sha256, which saved files name as their base."""
    if checkpoint.sha256:
        return checkpoint
    digest, size, done = hashlib.sha256(), checkpoint.path.stat().st_size, 0
    with open(checkpoint.path, "rb") as file:
        while part := file.read(PART):
            yield Prepared("Reading the checkpoint", done / size)
            digest.update(part)
            done += len(part)
    return replace(checkpoint, sha256=digest.hexdigest())


T = TypeVar("T")
PART = 2**25  # bytes of a checkpoint that are read at once
RARE_TOKEN = 40_000  # CLIP's tokens are sorted by how common they are; "sks" and its like are above


@dataclass
class Session:
    """A run on a host, in a workspace. events() is everything that happens, Ended last."""

    run: Run
    host: Host
    workspace: Workspace
    checkpoint: Checkpoint
    log: Log
    controls: Controls = Controls()
    restart: bool = False  # whether to leave aside what was trained before
    progress: Progress = field(default_factory=Progress)
    newest_preview: Path | None = None
    first_prompt: str = ""
    planned: str = ""  # how much memory it should take
    ranks: Ranks = ALONE

    def events(self) -> Iterator[Event]:
        """Raises a DarkroomError when the run cannot start."""
        require_writable(self.run, self.host.folders, self.checkpoint.path)
        require_folders(self.run, self.host.folders, self.workspace)
        found = yield from self.until_stopped(finding_all_pictures(self.run))
        if found is None:
            return
        self.first_prompt = found[0].items[0].prompt
        yield from map(Warned, self.host.advice(self.checkpoint))
        yield from (Warned(f"Skipped: {problem}") for folder in found for problem in folder.problems)
        yield from with_alarms(self.run, self.run_with_pauses(found))

    def run_with_pauses(self, found: list[ConceptPictures]) -> Iterator[Event]:
        """Borrows the model again after every pause."""
        while isinstance(last := (yield from self.run_until_pause(found)), Paused):
            self.controls.wait_for_resume()
            if reason := self.controls.discard_reason():
                self.workspace.kept.unlink(missing_ok=True)
                yield Ended(last.step, reason, discarded=True)
                return
            if reason := self.controls.leave_reason():
                yield Ended(last.step, reason, leaving=True)
                return

    def run_until_pause(self, found: list[ConceptPictures]) -> Generator[Event, None, Ended | Paused]:
        """Runs until the host has its model back. Ended or Paused comes after that, and is returned too."""
        last: Ended | Paused | None = None
        for event in self.run_on_borrowed_model(found):
            if isinstance(event, (Ended, Paused)):
                last = event
            else:
                yield event
        memory.free_cache()
        assert last, "ends with Ended or Paused"
        yield last
        return last

    def run_on_borrowed_model(self, found: list[ConceptPictures]) -> Iterator[Event]:
        items = [item for folder in found for item in folder.items]
        words = new_words_of(self.run) if self.run.method.product.learns_words else ()
        # reads a file of gigabytes: before others wait for the model
        hashed = yield from self.until_stopped(hash_checkpoint(self.checkpoint))
        if hashed is None:
            return
        self.checkpoint = hashed
        yield Prepared("Waiting for the model", 0.0)
        with ExitStack() as undo:
            model = undo.enter_context(self.host.borrow(self.checkpoint))
            memory.free_cache()
            require_optimizer(self.run, model.device)
            yield from unlearned_end(self.run, model)
            if words and self.progress.first_step is None:
                yield from require_learnable(words, items, model)
            for prepared in class_pictures.prepare_class_pictures(self.run, found, self.checkpoint, self.host):
                if isinstance(prepared, list):
                    items = [*items, *prepared]
                else:
                    yield prepared
                if ended := self.stop_before_first_step():
                    yield ended
                    return
            yield from self.plan_memory(model, items, words)
            if self.run.training.offload:
                undo.enter_context(model.offloaded())
            trainable = self.run.method.attach(model, self.run.training.seed, words)
            undo.callback(trainable.detach)
            require_in_backward(self.run, model, self.ranks)
            require_read(self.host, self.run, trainable)
            if without := self.run.method.left_out(model.layers()):
                yield Warned(f"{len(without)} layers of the text encoder are not trained: the WebUI cannot apply "
                             f"{self.run.method.title} to them.")
            require_room(self.run, self.host.folders, self.workspace, trainable, self.checkpoint.path)
            cache = Cache(self.host.folders.workspaces / CACHE, self.run.saving.cache_limit)
            undo.enter_context(closing(cache))
            batches = Batches(self.run, model, items, bool(trainable.parts & model.family.text_parts), cache,
                              self.ranks.share)
            for preparation in batches.prepare():
                yield preparation
                if ended := self.stop_before_first_step():
                    yield ended
                    return
            files = RunFiles(self.run, self.host, self.workspace, self.checkpoint, model, batches, self.progress,
                             self.restart, draw_card_picture=self.draw_card_picture, ranks=self.ranks)
            controls = replace(self.controls, draw_previews=self.draw_previews)
            yield from train(self.run, model, trainable, batches, files, controls, self.planned, self.ranks)

    def plan_memory(self, model: Model, items: list[Item], words: tuple[NewWord, ...]) -> Iterator[Event]:
        """Warns where the graphics card has too little memory for the run. It takes seconds, so that it is left out
        where nothing is scarce, and after a pause.
        """
        if model.device.type != "cuda" or self.progress.first_step is not None or not self.ranks.leads:
            return
        yield Prepared("Planning the memory", 0.0)
        with Guard("Planning the memory"):  # it is not needed to train
            fit = fit_of(self.run, model, items, words)
            self.planned = f"{memory.amount(fit.plan.needed)} ({fit.plan.in_words})"
            if not fit.fits:
                yield Warned(fit.warning)

    def until_stopped(self, parts: Generator[Prepared, None, T]) -> Generator[Event, None, T | None]:
        """Passes on what is prepared; returns its result, or None after Ended when someone stops it."""
        while True:
            try:
                yield next(parts)
            except StopIteration as done:
                return cast(T, done.value)
            if ended := self.stop_before_first_step():
                yield ended
                return None

    def stop_before_first_step(self) -> Ended | None:
        """How the run ends when someone stops it before its first step; after a pause train() ends it, and saves."""
        if self.progress.first_step is not None:
            return None
        if reason := self.controls.discard_reason():
            return Ended(0, reason, discarded=True)
        if reason := self.controls.leave_reason():
            return Ended(0, reason, leaving=True)
        reason = self.controls.stop_reason()
        return Ended(0, reason) if reason else None

    def draw_previews(self, step: int) -> tuple[Path, ...]:
        """The files of a step's previews. Raises SaveError, HostError."""
        images = self.host.draw([self.picture(prompt) for prompt in self.run.previews.prompts or (self.first_prompt,)])
        paths = write_previews(self.log, step, images)
        self.newest_preview = paths[0]
        return paths

    def draw_card_picture(self, final: bool) -> Any:
        """The newest preview, or one picture drawn at the end; None when not wanted or not possible."""
        with Guard("The picture for the card"):
            if self.newest_preview:
                return load_picture(self.newest_preview)
            if final and self.run.previews.card:
                return self.host.draw([self.picture(self.first_prompt)])[0]
        return None  # a card without a picture is still a card

    def picture(self, prompt: str) -> Picture:
        previews, size = self.run.previews, drawable_side(self.run.data.resolution)
        return Picture(prompt, steps=previews.preview_steps, cfg=previews.cfg, width=size, height=size,
                       seed=previews.preview_seed, sampler=previews.sampler,
                       clip_skip=self.run.data.clip_skip)
