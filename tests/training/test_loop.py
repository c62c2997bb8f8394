"""The loop: it ends as it is asked to, and always gives the model back."""

from collections.abc import Generator

import pytest
import torch
from helpers import NoFiles, losses, small_run, trained
from torch.utils._python_dispatch import TorchDispatchMode

from extension_lib.data.batches import Batches
from extension_lib.data.folder import find_pictures
from extension_lib.events import Began, Ended, Previewed, Stepped, Warned
from extension_lib.training import loop
from extension_lib.training.controls import Controls
from extension_lib.training.loop import take_step, train
from extension_lib.training.optimizer import Optimizer


def prepared(model, run):
    trainable = run.method.attach(model, run.training.seed)
    batches = Batches(run, model, list(find_pictures(run.concepts[0]).items), text_trained=True)
    list(batches.prepare())
    return trainable, batches


def test_a_run_begins_steps_and_ends(model, pictures):
    events, trainable = trained(model, small_run(pictures))
    trainable.detach()
    assert isinstance(events[0], Began) and isinstance(events[-1], Ended) and not events[-1].failed
    assert [e.step for e in events if isinstance(e, Stepped)] == [1, 2, 3, 4]


@pytest.mark.once
def test_the_same_seed_gives_the_same_losses_and_another_does_not(model, pictures):
    def run(seed):
        events, trainable = trained(model, small_run(pictures, training={"seed": seed}))
        trainable.detach()
        return losses(events)

    assert run(1) == run(1) != run(2)


@pytest.mark.once
def test_stopping_is_answered_by_saving_and_ending(model, pictures):
    run, files = small_run(pictures, training={"steps": 50}), NoFiles()
    trainable, batches = prepared(model, run)
    events = []
    for event in train(run, model, trainable, batches, files,
                       Controls(stop_reason=lambda: "enough" if len(events) > 3 else "")):
        events.append(event)
    trainable.detach()
    assert events[-1] == Ended(3, "enough") and files.saved == [(3, True)]


def test_closing_the_generator_saves_nothing_and_leaves_no_trace(model, pictures):
    run, files = small_run(pictures), NoFiles()
    trainable, batches = prepared(model, run)
    events = train(run, model, trainable, batches, files)
    assert isinstance(events, Generator)
    next(events), next(events)
    events.close()
    trainable.detach()
    assert files.saved == [] and all("forward" not in m.__dict__ for m in model.blocks())


def test_running_out_of_memory_saves_the_last_step_and_says_what_to_change(model, pictures, monkeypatch):
    run, files = small_run(pictures, training={"steps": 9}), NoFiles()
    trainable, batches = prepared(model, run)
    predict = model.predict

    def greedy(noisy, t, condition):
        if batches.seen >= 3:
            torch.empty(2**62, dtype=torch.uint8)  # the allocator itself refuses
        batches.seen += 1
        return predict(noisy, t, condition)

    batches.seen = 0
    monkeypatch.setattr(model, "predict", greedy)
    events = list(train(run, model, trainable, batches, files))
    trainable.detach()
    ended = events[-1]
    assert ended.failed and ended.step == 3 and files.saved == [(3, True)]
    assert "step 4" in ended.why and "GiB" in ended.why and "batch size from 2 to 1" in ended.why


@pytest.mark.once
@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), TypeError("'NoneType' object is not callable")])
def test_another_error_is_not_taken_for_memory_and_ends_the_run_with_what_was_learned(
        model, pictures, monkeypatch, error):
    run, files = small_run(pictures), NoFiles()
    trainable, batches = prepared(model, run)
    predict, calls = model.predict, []

    def fails(*given):
        calls.append(given)
        if len(calls) == 3:
            raise error
        return predict(*given)

    monkeypatch.setattr(model, "predict", fails)
    *_, ended = train(run, model, trainable, batches, files)
    trainable.detach()
    assert ended.failed and ended.step == 2 and str(
        error) in ended.why and "memory" not in ended.why and files.saved == [(2, True)]


def test_a_loss_that_stays_infinite_ends_the_run_and_spoils_nothing(model, pictures, monkeypatch):
    monkeypatch.setattr(loop, "GIVE_UP_AFTER", 3)
    run, files = small_run(pictures, training={"steps": 99}), NoFiles()
    trainable, batches = prepared(model, run)
    before = {k: v.clone() for k, v in trainable.state_dict().items()}
    predict = model.predict
    monkeypatch.setattr(model, "predict", lambda *a: predict(*a) * float("nan"))
    events = list(train(run, model, trainable, batches, files))
    after = trainable.state_dict()
    trainable.detach()
    assert events[-1].failed and events[-1].step == loop.GIVE_UP_AFTER and "not finite" in events[-1].why
    assert all(torch.equal(before[k], after[k]) for k in before)


@pytest.mark.once
@pytest.mark.parametrize("error", [RuntimeError("no picture today"), TypeError("no forward"), KeyError("DPM"),
                                   AssertionError("changing settings is disabled")])
def test_a_preview_that_fails_in_any_way_is_a_warning_and_the_run_goes_on(model, pictures, error):
    def fails(step):
        raise error

    events, trainable = trained(model, small_run(pictures, previews={"preview_every": 2}),
                                Controls(draw_previews=fails))
    trainable.detach()
    told = [e.message for e in events if isinstance(e, Warned)]
    assert "previews of step 2" in told[0] and told[0].endswith(str(error))
    assert not events[-1].failed and events[-1].step == 4 and not any(isinstance(e, Previewed) for e in events)


@pytest.mark.once
def test_copies_are_saved_every_so_many_steps_and_on_wish(model, pictures):
    run, files = small_run(pictures, training={"steps": 7}, saving={"save_every": 3}), NoFiles()
    trainable, batches = prepared(model, run)
    wish = iter(step in (5, 6) for step in range(1, 8))
    list(train(run, model, trainable, batches, files, Controls(take_save_request=lambda: next(wish))))
    trainable.detach()
    assert files.saved == [(3, False), (5, False), (6, False), (7, True)]


def test_checkpointing_changes_neither_losses_nor_weights(model, pictures):
    def run(checkpointing):
        events, trainable = trained(model, small_run(pictures, method={"dropout": 0.2},
                                                     training={"checkpointing": checkpointing}))
        state = {k: v.clone() for k, v in trainable.state_dict().items()}
        trainable.detach()
        return losses(events), state

    (with_it, state), (without, other) = run(True), run(False)
    assert with_it == pytest.approx(without, rel=1e-5)
    assert all(torch.allclose(state[k], other[k], atol=1e-6) for k in state)


def test_checkpointing_keeps_fewer_activations(model, pictures):
    def kept(enabled):
        from extension_lib.training.checkpointing import gradient_checkpointing

        total = 0

        def pack(tensor):
            nonlocal total
            total += tensor.numel()
            return tensor

        trainable = small_run(pictures).method.attach(model, 0)
        with gradient_checkpointing(model, enabled), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            model.predict(torch.randn(2, 4, 16, 16), torch.tensor([1, 2]), model.encode_prompts(["a", "b"]))
        trainable.detach()
        return total

    assert kept(True) < 0.5 * kept(False)


@pytest.mark.once
def test_a_penalty_keeps_the_class_prompt_s_answer_nearer_to_what_it_was(model, pictures):
    """On pictures and noise that no step saw."""
    latents = torch.randn((4, 4, 8, 8), generator=torch.Generator().manual_seed(9))
    t = torch.tensor([50, 300, 600, 900])

    def answer():
        with torch.no_grad():
            return model.predict(latents, t, model.encode_prompts(["a ghost"] * 4))
    before, moved = answer(), []
    for penalty in (0.0, 10.0):
        run = small_run(pictures, concepts=[{"folder": str(pictures),
                                             "class_prompt": "a ghost"}], prior={"penalty": penalty},
                        training={"steps": 6}, method={"unet_rate": 2e-2, "text_rate": 2e-2})
        _, trainable = trained(model, run)
        moved.append((answer() - before).norm().item())
        trainable.detach()
    assert moved[1] < 0.7 * moved[0]


class Reads(TorchDispatchMode):
    """Counts how often numbers are read from the device, which waits for it."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


@pytest.mark.once
@pytest.mark.parametrize("accumulation", [1, 3])
def test_a_step_waits_once_for_the_gradients_length_and_once_for_all_losses(model, pictures, accumulation):
    run = small_run(pictures, training={"accumulation": accumulation})
    trainable, batches = prepared(model, run)
    optimizer = Optimizer(trainable.groups(), run.training, scaled=False)
    optimizer.move = lambda learning: None  # AdamW counts its steps in the system's memory, and reads those
    with Reads() as reads:
        take_step(run, model, trainable, batches, optimizer, 0)
    trainable.detach()
    assert reads.count == 1  # the length; a list of losses is read as a whole


@pytest.mark.once
def test_the_next_batch_is_ready_before_a_step_ends_and_is_the_one_that_belongs_there(model, pictures):
    run = small_run(pictures)
    trainable, batches = prepared(model, run)
    take_step(run, model, trainable, batches, Optimizer(trainable.groups(), run.training, scaled=False), 0)
    trainable.detach()
    ready, made = batches.next_batch[1], batches.put_together(1)
    assert torch.equal(ready.latents, made.latents) and ready.prompts == made.prompts
    assert batches.batch(1) is ready and not batches.next_batch
