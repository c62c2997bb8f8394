"""The training loop, as a generator of events. It knows no method, no model family, no host and no screen."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from .. import memory
from ..config.run import Run
from ..data.batches import Batches
from ..errors import is_out_of_memory
from ..events import Began, Ended, Event, Paused, Previewed, Saved, Stepped, Warned
from ..methods.base import Trainable
from ..model import Model
from ..support.seeds import seeded_torch
from .checkpointing import gradient_checkpointing
from .controls import Controls
from .guard import Guard
from .measure import FixedNoiseLoss
from .optimizer import Optimizer
from .step_loss import StepLoss, batch_loss

GIVE_UP_AFTER = 20  # steps in a row whose gradient was not finite


class Files(Protocol):
    """Where a run's results go."""

    def resume(self, trainable: Trainable, optimizer: Optimizer) -> "StartPoint":
        """Puts back what an earlier run saved, if this one goes on from there."""

    def save(self, step: int, trainable: Trainable, optimizer: Optimizer, final: bool) -> Iterator[Event]:
        """Writes what was learned so far; yields Saved, and Warned where something deserves a word."""

    def pause(self, step: int, trainable: Trainable, optimizer: Optimizer) -> Paused | Warned:
        """Writes what resume() needs to go on at this very step; Warned when that cannot be."""

    def discard(self) -> None:
        """Forgets what only a pause has written: all is as the last save, or the start, left it."""


@dataclass(frozen=True)
class StartPoint:
    """Where a run begins: steps already done of its schedule, and the steps of earlier schedules in its workspace.

    first: the step at which it began before it was paused; the same as step when it was not.
    """

    step: int = 0
    before: int = 0
    first: int = 0


def train(run: Run, model: Model, trainable: Trainable, batches: Batches, files: Files,
          controls: Controls = Controls()) -> Iterator[Event]:
    """Trains to the run's last step, or until asked to stop; then saves and ends.

    When memory runs out, gradients stay infinite or a step fails it ends too, saving what was learned up to the last whole step.
    Asked to pause, it ends with Paused; called again with the same files, it goes on where it was.
    Closing the generator early saves nothing and leaves the model as it was.
    """
    with gradient_checkpointing(model, run.training.checkpointing):
        optimizer = Optimizer(trainable.groups(), run.training, scaled=is_half(model))
        start = files.resume(trainable, optimizer)
        measuring = FixedNoiseLoss(run, model, trainable, batches)
        step = start.step
        yield Began(step, run.training.steps, len(batches.items), batches.per_epoch)
        if step == start.first:
            yield from measuring.at(step, optimizer)
        while not (ended := end_before_step(run, step, optimizer, controls)):
            if controls.pause_requested():
                told = files.pause(step, trainable, optimizer)
                yield told
                if isinstance(told, Paused):
                    return
                controls.pause_refused()
            with Guard(f"Step {step + 1}") as guard:
                stepped = take_step(run, model, trainable, batches, optimizer, step, start.before)
            if guard.error:
                ended = Ended(step, failure_reason(guard, run, model, step), failed=True)
                break
            step = stepped.step
            yield stepped
            wished = controls.take_save_request()
            saving = step < run.training.steps and (wished or due(step, run.saving.save_every))
            if saving or due(step, measuring.every):
                yield from measuring.at(step, optimizer)
            if saving:
                yield from files.save(step, trainable, optimizer, final=False)
            if due(step, run.previews.preview_every):
                yield draw_previews(step, trainable, controls)
        optimizer.clear()
        memory.free_cache()
        if ended.discarded:
            files.discard()
        elif step > start.first:
            yield from () if ended.failed else measuring.at(step, optimizer)
            ended = yield from report_last_save(files.save(step, trainable, optimizer, final=True), ended)
        yield ended


def report_last_save(saving: Iterator[Event], ended: Ended) -> Generator[Event, None, Ended]:
    """Passes on what the last save tells. A run of which no file could be written has failed; one that failed says what is kept."""
    told = []
    for event in saving:
        told.append(event)
        yield event
    if any(isinstance(e, Saved) for e in told):
        return replace(ended, why=f"{ended.why} What was learned before is saved.") if ended.failed else ended
    if any(isinstance(e, Warned) for e in told):
        return replace(ended, why=f"{ended.why} No file could be written.", failed=True)
    return ended


OUT_OF_MEMORY = "Out of memory in step {step}: {used}. To need less: {remedy}."
FAILED = "Step {step} failed: {error}"
NOT_FINITE = ("The gradient was not finite {count} times in a row, and nothing was changed by those steps. "
              "Lower the learning rate, or use a WebUI in full precision (--no-half).")


def failure_reason(guard: Guard, run: Run, model: Model, step: int) -> str:
    """Why a run ends whose step after this one failed."""
    if guard.error and is_out_of_memory(guard.error):
        return OUT_OF_MEMORY.format(step=step + 1, used=memory.usage_text(model.device), remedy=memory.advice(run))
    return FAILED.format(step=step + 1, error=as_sentence(guard.reason))


def as_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def is_half(model: Model) -> bool:
    return str(model.compute) == "torch.float16"


def end_before_step(run: Run, step: int, optimizer: Optimizer, controls: Controls) -> Ended | None:
    if why := controls.discard_reason():
        return Ended(step, why, discarded=True)
    if step >= run.training.steps:
        return Ended(step, f"All {run.training.steps} steps are done.")
    if optimizer.skipped_in_a_row >= GIVE_UP_AFTER:
        return Ended(step, NOT_FINITE.format(count=optimizer.skipped_in_a_row), failed=True)
    if why := controls.stop_reason():
        return Ended(step, why)
    return None


def take_step(run: Run, model: Model, trainable: Trainable, batches: Batches, optimizer: Optimizer,
              step: int, before: int = 0) -> Stepped:
    """One change of the weights, from as many batches as are accumulated. before: steps of earlier schedules."""
    count, lived = run.training.accumulation, before + step
    seen: list[StepLoss] = []
    with seeded_torch("step", run.training.seed, lived):  # dropout, so that a resumed run repeats what an unbroken one does
        for number in range(lived * count, (lived + 1) * count):
            found = batch_loss(run, model, trainable, batches.at(number), number)
            optimizer.backward(found.loss)
            seen.append(found._replace(loss=None))  # numbers only at the end: each would wait for the GPU
    changed = optimizer.step(step)
    if changed:
        trainable.after_step()
    of_class = [e.of_class.item() for e in seen if e.of_class is not None]
    return Stepped(step + 1, sum(e.of_subject.item() for e in seen) / count, optimizer.rate, skipped=not changed,
                   class_loss=sum(of_class) / len(of_class) if of_class else None)


def draw_previews(step: int, trainable: Trainable, controls: Controls) -> Event:
    """The step's previews; a preview that fails is a warning, never the end of a run."""
    with Guard(f"Drawing the previews of step {step}") as guard, trainable.as_saved():
        return Previewed(step, controls.draw_previews(step))
    memory.free_cache()
    return Warned(f"The previews of step {step} could not be drawn: {guard.reason}")


def due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0
