"""The training loop, as a generator of events. It knows no method, model family, host or page."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from .. import memory
from ..config.run import Run
from ..data.batches import Batches
from ..errors import is_out_of_memory
from ..events import Autosaved, Began, Ended, Event, Paused, Previewed, Saved, Stepped, Warned
from ..methods.base import Trainable
from ..model import Model
from ..support.seeds import seeded_torch
from .autosave import AutosaveTimer
from .checkpointing import gradient_checkpointing
from .controls import Controls
from .guard import Guard
from .measure import FixedNoiseLoss
from .optimizer import Optimizer
from .ranks import ALONE, Ranks
from .step_loss import batch_loss

GIVE_UP_AFTER = 20  # steps in a row whose gradient was not finite


class Files(Protocol):
    """Where a run's results go."""

    def resume(self, trainable: Trainable, optimizer: Optimizer) -> "StartPoint":
        """Restores what an earlier run saved, if this one continues it; returns where this one starts."""

    def save(self, step: int, trainable: Trainable, optimizer: Optimizer, final: bool) -> Iterator[Event]:
        """Writes what was learned so far; yields Saved for each file, and Warned for each problem."""

    def keep(self, step: int, trainable: Trainable, optimizer: Optimizer) -> Autosaved | Warned:
        """Writes what resume() needs to continue at this step; Warned when it could not be written."""

    def pause(self, step: int, trainable: Trainable, optimizer: Optimizer) -> Paused | Warned:
        """As keep(), before the model is given back."""

    def discard(self) -> None:
        """Deletes what keep() and pause() have written: everything is as after the last save, or before the start."""


@dataclass(frozen=True)
class StartPoint:
    """Where a run starts, or continues after a pause."""

    step: int = 0  # steps of its schedule that are done
    earlier_steps: int = 0  # steps of earlier schedules in its workspace
    first_step: int = 0  # where it started before it was paused; otherwise the same as step
    files_missing: bool = False  # whether what was learned before is in no file
    changes: tuple[str, ...] = ()  # sentences: what differs from when that was saved


def train(run: Run, model: Model, trainable: Trainable, batches: Batches, files: Files,
          controls: Controls = Controls(), planned: str = "", ranks: Ranks = ALONE) -> Iterator[Event]:
    """Trains to the run's last step, or until someone stops it; then saves and ends.

    It also ends when memory runs out, gradients stay infinite or a step fails; what was learned up to the last whole
    step is saved. A pause ends it with Paused; called again with the same files, it continues at the same step.
    Closing the generator early saves nothing and leaves the model as it was. planned: what its memory was
    expected to be. Of several processes only the one that leads decides and saves.
    """
    with gradient_checkpointing(model, run.training.recomputes):
        optimizer = Optimizer(trainable.groups(), run.training, scaled=is_half(model))
        loop = Loop(run, model, trainable, batches, files, controls, optimizer, files.resume(trainable, optimizer),
                    FixedNoiseLoss(run, model, trainable, batches), planned, ranks)
        if not ranks.leads:
            yield loop.follow()
            return
        ended = yield from loop.take_steps()
        if isinstance(ended, Ended):
            ranks.end(ended)
            optimizer.clear()
            memory.free_cache()
            ended = yield from loop.finish(ended)
        yield ended


@dataclass(frozen=True)
class Loop:
    """What every step of a run needs."""

    run: Run
    model: Model
    trainable: Trainable
    batches: Batches
    files: Files
    controls: Controls
    optimizer: Optimizer
    start: StartPoint
    measuring: FixedNoiseLoss
    planned: str
    ranks: Ranks

    def take_steps(self) -> Generator[Event, None, Ended | Paused]:
        """Returns how they ended, before anything is saved."""
        run, step = self.run, self.start.step
        timer = AutosaveTimer(run.saving.autosave_minutes * 60, self.optimizer.size_of_state)
        yield from map(Warned, self.start.changes)
        yield Began(step, run.training.steps, len(self.batches.items), self.batches.per_epoch)
        if step == self.start.first_step:
            yield from self.measuring.measure(step, self.optimizer)
        while not (ended := end_before_step(run, step, self.optimizer, self.controls)):
            if self.controls.pause_requested():
                paused = self.files.pause(step, self.trainable, self.optimizer)
                if isinstance(paused, Paused):
                    return paused
                yield paused
                self.controls.pause_refused()
            with Guard(f"Step {step + 1}") as guard:
                self.ranks.announce_step()
                stepped = self.take_step(step)
            if guard.error:
                return Ended(step, failure_reason(guard, run, self.model, step, self.planned), failed=True)
            step = stepped.step
            yield stepped
            if stepped.skipped and not self.optimizer.changed and (broken := self.model.broken_weight()):
                return Ended(step, BROKEN.format(weight=broken), failed=True)
            yield from self.between_steps(step, timer)
        return ended

    def follow(self) -> Ended:
        """Takes the steps that are announced; returns how they ended. Raises RankError."""
        step = self.start.step
        while not isinstance(ended := self.ranks.hear(), Ended):
            step = self.take_step(step).step
        return ended

    def take_step(self, step: int) -> Stepped:
        return take_step(self.run, self.model, self.trainable, self.batches, self.optimizer, step,
                         self.start.earlier_steps, self.ranks)

    def between_steps(self, step: int, timer: AutosaveTimer) -> Iterator[Event]:
        """Measures, saves, keeps and draws, as far as it is time for that."""
        requested = self.controls.take_save_request()
        saving = step < self.run.training.steps and (requested or due(step, self.run.saving.save_every))
        if saving or due(step, self.measuring.every):
            yield from self.measuring.measure(step, self.optimizer)
        if saving:
            yield from self.files.save(step, self.trainable, self.optimizer, final=False)
            timer.saved()
        elif timer.due():
            with timer.measured():
                kept = self.files.keep(step, self.trainable, self.optimizer)
            yield kept
        if due(step, self.run.previews.preview_every):
            yield draw_previews(step, self.trainable, self.optimizer, self.controls)

    def finish(self, ended: Ended) -> Generator[Event, None, Ended]:
        """Saves, keeps or discards what was learned; returns how the run ended."""
        if ended.discarded:
            self.files.discard()
        elif not (self.optimizer.changed or self.start.files_missing):
            return replace(ended, why=f"{ended.why} Nothing was learned, so nothing is saved.")
        elif ended.leaving:
            yield self.files.keep(ended.step, self.trainable, self.optimizer)
        else:
            yield from () if ended.failed else self.measuring.measure(ended.step, self.optimizer)
            saving = self.files.save(ended.step, self.trainable, self.optimizer, final=True)
            return (yield from report_last_save(saving, ended))
        return ended


def report_last_save(saving: Iterator[Event], ended: Ended) -> Generator[Event, None, Ended]:
    """Passes on the events of the last save; returns how the run ended. Without any file written it has failed."""
    events = []
    for event in saving:
        events.append(event)
        yield event
    if any(isinstance(event, Saved) for event in events):
        return replace(ended, why=f"{ended.why} What was learned before is saved.") if ended.failed else ended
    if any(isinstance(event, Warned) for event in events):
        return replace(ended, why=f"{ended.why} No file could be written.", failed=True)
    return ended


OUT_OF_MEMORY = "Out of memory in step {step}: {used}. To use less: {remedy}."
OUT_OF_MEMORY_AS_PLANNED = ("Out of memory in step {step}: {used}. Planned: {planned}. Reached: {reached}. "
                            "To use less: {remedy}.")
BROKEN = "The checkpoint cannot be trained on: its weight {weight} holds values that are not numbers. Use another copy."
FAILED = "Step {step} failed: {error}"
NOT_FINITE = ("The gradient was not finite {count} times in a row, and those steps changed nothing. "
              "Lower the learning rate, or start the WebUI in full precision (--no-half).")


def failure_reason(guard: Guard, run: Run, model: Model, step: int, planned: str) -> str:
    """Why the run ends when the step after this one failed."""
    if guard.error and is_out_of_memory(guard.error):
        remedy = memory.advice(run, model.family, model)
        form = OUT_OF_MEMORY_AS_PLANNED if planned else OUT_OF_MEMORY
        return form.format(step=step + 1, used=memory.usage_text(model.device), planned=planned,
                           reached=memory.amount(memory.reached(model.device)), remedy=remedy)
    return FAILED.format(step=step + 1, error=as_sentence(guard.reason))


def as_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def is_half(model: Model) -> bool:
    return str(model.compute) == "torch.float16"


def end_before_step(run: Run, step: int, optimizer: Optimizer, controls: Controls) -> Ended | None:
    """How the run ends instead of taking one more step; None when it goes on."""
    if reason := controls.discard_reason():
        return Ended(step, reason, discarded=True)
    if reason := controls.leave_reason():
        return Ended(step, reason, leaving=True)
    if step >= run.training.steps:
        return Ended(step, f"All {run.training.steps} steps are done.")
    if optimizer.skipped_in_a_row >= GIVE_UP_AFTER:
        return Ended(step, NOT_FINITE.format(count=optimizer.skipped_in_a_row), failed=True)
    if reason := controls.stop_reason():
        return Ended(step, reason)
    return None


def take_step(run: Run, model: Model, trainable: Trainable, batches: Batches, optimizer: Optimizer,
              step: int, earlier_steps: int = 0, ranks: Ranks = ALONE) -> Stepped:
    """Changes the weights once, by the gradient of as many batches as are accumulated, all shares of them together."""
    count, lifetime = run.training.accumulation, earlier_steps + step
    losses: list[Tensor] = []
    class_losses: list[Tensor] = []
    # dropout is the same after a pause as without one
    with seeded_torch("step", run.training.seed, lifetime, *batches.share.key), optimizer.during(step):
        for number in filter(batches.has, range(lifetime * count, (lifetime + 1) * count)):
            loss = batch_loss(run, model, trainable, batches.batch(number), number)
            optimizer.backward(loss.total)
            losses.append(loss.subject)
            class_losses += [] if loss.class_pictures is None else [loss.class_pictures]
    if step + 1 < run.training.steps:
        batches.look_ahead((lifetime + 1) * count)  # from here on the step waits for the device
    of_subjects, of_classes = ranks.add_up(optimizer.parameters, [total(losses) / count, total(class_losses) / count])
    changed = optimizer.step(step)
    if changed:
        trainable.after_step()
    return Stepped(step + 1, of_subjects, optimizer.rate, skipped=not changed,
                   skipped_weights=optimizer.skipped_weights if changed else 0,
                   class_loss=of_classes if class_losses else None)


def total(losses: list[Tensor]) -> float:
    return sum(torch.stack(losses).tolist()) if losses else 0.0


def draw_previews(step: int, trainable: Trainable, optimizer: Optimizer, controls: Controls) -> Event:
    """Draws the previews of a step; when that fails, the run goes on with a warning."""
    with (Guard(f"Drawing the previews of step {step}") as guard, optimizer.averaged(trainable),
          trainable.as_saved()):
        return Previewed(step, controls.draw_previews(step))
    memory.free_cache()
    return Warned(f"There are no previews of step {step}: {guard.reason}")


def due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
