"""One run from settings to file: borrow the model, hang the method on it, train, prove what was saved."""

import hashlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from .. import memory
from ..config.run import Run, words_of
from ..data.batches import Batches
from ..data.folder import Found, Item, find_all
from ..events import Ended, Event, Paused, Prepared, Previewed, Warned
from ..export.products import require_writable
from ..host import Checkpoint, Host, Picture
from ..methods.base import NewWord
from ..settings import SettingError
from ..training.alarms import with_alarms
from ..training.controls import Controls
from ..training.guard import Guard
from ..training.loop import train
from ..workspaces.workspace import Workspace
from . import class_pictures
from .files import RunFiles
from .pause import Progress, restore_state


def require_words_in_captions(words: tuple[NewWord, ...], items: list[Item]) -> None:
    """Raises SettingError for a word that no caption holds, which would never be learned."""
    for word in words:
        if not any(word.name in prompt for item in items for prompt in item.prompts):
            raise SettingError(f"No picture's prompt holds the new word {word.name!r}, so it would never be learned. Write [name] "
                               "into the instance prompt, or choose the object or style sentences under Pictures.")


def with_hash(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with its sha256, which the saved file names as its base."""
    if checkpoint.sha256:
        return checkpoint
    digest = hashlib.sha256()
    with open(checkpoint.path, "rb") as file:
        while part := file.read(2**22):
            digest.update(part)
    return replace(checkpoint, sha256=digest.hexdigest())


@dataclass
class Session:
    """A run on a host, in a workspace. events() is everything that happens, Ended last."""

    run: Run
    host: Host
    workspace: Workspace
    checkpoint: Checkpoint
    controls: Controls = Controls()
    restart: bool = False  # whether to leave aside what was trained before
    newest_previews: list[Any] = field(default_factory=list)  # images of the last preview
    kept: Progress = field(default_factory=Progress)
    first_prompt: str = ""

    def events(self) -> Iterator[Event]:
        """Raises HostError, FolderError, PictureError, FormatError or StateError before the first step when the run cannot be."""
        require_writable(self.run, self.host.folders, self.checkpoint.path)
        found = find_all(self.run)
        self.first_prompt = found[0].items[0].prompt
        yield from (Warned(f"Left out: {problem}") for one in found for problem in one.problems)
        yield from with_alarms(self.run, self.until_ended(found))

    def until_ended(self, found: list[Found]) -> Iterator[Event]:
        """Borrows the model anew after every pause."""
        while isinstance(last := (yield from self.until_given_back(found)), Paused):
            self.controls.wait_for_resume()
            if why := self.controls.discard_reason():
                restore_state(self.workspace, self.kept)
                yield Ended(last.step, why, discarded=True)
                return

    def until_given_back(self, found: list[Found]) -> Generator[Event, None, Ended | Paused]:
        """What happens until the host has its model back; how that came is told then, and returned."""
        last: Ended | Paused | None = None
        for event in self.borrowed(found):
            if isinstance(event, (Ended, Paused)):
                last = event
            else:
                yield event
        memory.free_cache()
        assert last, "train() says how it ends"
        yield last
        return last

    def borrowed(self, found: list[Found]) -> Iterator[Event]:
        items = [item for one in found for item in one.items]
        words = words_of(self.run) if self.run.method.product.learns_words else ()
        if words:
            require_words_in_captions(words, items)
        yield Prepared("Waiting for the model", 0.0)
        self.checkpoint = with_hash(self.checkpoint)  # reads a file of gigabytes: before others wait for the model
        with ExitStack() as undo:
            model = undo.enter_context(self.host.borrow(self.checkpoint))
            memory.free_cache()
            for made in class_pictures.prepare_class_pictures(self.run, found, self.checkpoint, self.host):
                if isinstance(made, list):
                    items = [*items, *made]
                else:
                    yield made
                if ended := self.ended_early():
                    yield ended
                    return
            trainable = self.run.method.attach(model, self.run.training.seed, words)
            undo.callback(trainable.detach)
            batches = Batches(self.run, model, items, text_trained=any(p.startswith("te") for p in trainable.parts))
            for told in batches.prepare():
                yield told
                if ended := self.ended_early():
                    yield ended
                    return
            files = RunFiles(self.run, self.host, self.workspace, self.checkpoint, model, batches, self.kept, self.restart,
                             picture=self.card_picture)
            controls = replace(self.controls, draw_previews=self.draw_previews)
            for event in train(self.run, model, trainable, batches, files, controls):
                if isinstance(event, Previewed):
                    self.newest_previews = event.images
                yield event

    def ended_early(self) -> Ended | None:
        """Where someone asks to stop before the first step. After a pause train() answers, because there is something to save."""
        if self.kept.first is not None:
            return None
        if why := self.controls.discard_reason():
            return Ended(0, why, discarded=True)
        why = self.controls.stop_reason()
        return Ended(0, why) if why else None

    def draw_previews(self, step: int) -> list[Any]:
        return self.host.draw([self.picture(prompt) for prompt in self.run.previews.prompts or (self.first_prompt,)])

    def card_picture(self, final: bool) -> Any:
        """The newest preview, or one picture drawn at the end; None when not wanted or not possible."""
        if self.newest_previews or not (final and self.run.previews.card):
            return self.newest_previews[0] if self.newest_previews else None
        with Guard("Drawing the picture for the card"):
            return self.host.draw([self.picture(self.first_prompt)])[0]
        return None  # a card without a picture is still a card

    def picture(self, prompt: str) -> Picture:
        wanted, size = self.run.previews, self.run.data.resolution // 8 * 8
        return Picture(prompt, steps=wanted.preview_steps, cfg=wanted.cfg, width=size, height=size,
                       seed=wanted.preview_seed, sampler=wanted.sampler,
                       clip_skip=self.run.data.clip_skip)
