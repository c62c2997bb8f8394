"""Whether a run fits, and what is said when it does not."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from helpers import small_run

from extension_lib.config.run import new_words_of, require_startable
from extension_lib.data.folder import find_all_pictures
from extension_lib.events import Prepared, Warned
from extension_lib.families.sd1 import SD1
from extension_lib.memory import GIB, remedies
from extension_lib.runs.fit import Saving, fit_of, needed
from extension_lib.runs.preflight import require_in_backward
from extension_lib.runs.session import Session
from extension_lib.training.guard import Guard
from extension_lib.training.loop import failure_reason
from extension_lib.training.memory_plan import MemoryPlan, memory_plan, size_of_unet


def needs(run, *others):
    """A plan that only depends on the settings."""
    text, remembered = 1 if run.method.text_rate else 0, int(GIB * run.training.optimizer_kind.state / 8)
    return MemoryPlan(weights=1 * GIB, trained=0, gradients=0, optimizer=remembered,
                      activations=GIB * (run.training.batch_size * (1 if run.training.checkpointing else 2) + text),
                      encoding=0, preview=9 * GIB, context=0)


def test_a_run_that_does_not_fit_is_told_what_makes_it_fit_the_cheapest_first(model, pictures, monkeypatch):
    monkeypatch.setattr("extension_lib.runs.fit.memory_plan", needs)
    monkeypatch.setattr("extension_lib.memory.find_spec", lambda package: package != "bitsandbytes")
    run = small_run(pictures, training={"batch_size": 2})
    assert fit_of(run, model, [], (), free=7 * GIB).fits  # a preview that cannot be drawn ends no run
    saved = [[round(change.saves / GIB, 1) for change in fit_of(run, model, [], (), free=free * GIB).changes]
             for free in (6, 4, 3, 2, 0)]
    assert saved == [[2], [2, 1], [2, 1, 1], [2, 1, 1, 1], [2, 1, 1, 1]]
    small = fit_of(run, model, [], (), free=3 * GIB)
    assert small.with_changes <= small.free and fit_of(small.applied(run), model, [], (), free=3 * GIB).fits
    assert small.warning.startswith("This run takes 7.0 GiB of memory, and 3.0 GiB are free. To use less: lower the "
                                    "batch size from 2 to 1 and raise gradient accumulation instead: saves 2.0 GiB; "
                                    "switch gradient checkpointing on")
    assert fit_of(run, model, [], (), free=0).warning.endswith("close other programs, or lower the resolution.")


def test_a_change_that_the_dearer_ones_make_superfluous_is_left_out(model, pictures, monkeypatch):
    saving = {0: 1, 1: 2, 2: 4}
    monkeypatch.setattr("extension_lib.runs.fit.memory_plan", lambda run, *others: needs(run))
    fit = fit_of(small_run(pictures), model, [], (), free=0)
    found = [Saving(SimpleNamespace(price=price), size) for price, size in saving.items()]
    assert [change.saves for change in needed(found, replace(fit, free=fit.plan.needed - 4))] == [4]
    assert [change.saves for change in needed(found, replace(fit, free=fit.plan.needed - 5))] == [1, 4]


def test_planning_leaves_the_model_as_it_was(model, pictures):
    run = small_run(pictures, method={"name": "pivotal"})
    held, items = [*model.unet.parameters()], [item for found in find_all_pictures(run) for item in found.items]
    memory_plan(run, model, items, new_words_of(run))
    assert all(a is b for a, b in zip(held, model.unet.parameters())) and not model.has_word("ghost")
    assert model.device.type == "cpu"


def test_on_a_graphics_card_a_run_is_planned_before_it_starts_and_a_plan_that_fails_ends_no_run(pictures, monkeypatch):
    run = small_run(pictures)
    session = Session(run, None, None, None, None)
    card = SimpleNamespace(device=torch.device("cuda"), family=SD1, held=lambda: GIB)
    monkeypatch.setattr("extension_lib.memory.free", lambda device: GIB)
    monkeypatch.setattr("extension_lib.runs.fit.memory_plan", needs)
    events = list(session.plan_memory(card, [], ()))
    assert [type(event) for event in events] == [Prepared, Warned] and "2.0 GiB are free" in events[1].message
    assert "Checkpoint 1.0 GiB" in session.planned
    monkeypatch.setattr("extension_lib.runs.fit.memory_plan", lambda *given: 1 / 0)
    assert [type(event) for event in session.plan_memory(card, [], ())] == [Prepared]


def test_out_of_memory_says_what_was_planned(model, pictures):
    with Guard("A step") as guard:
        raise RuntimeError("CUDA out of memory")
    said = failure_reason(guard, small_run(pictures), model, 3, "5.0 GiB (Checkpoint 5.0 GiB)")
    assert re.search(r"step 4: .*Planned: 5.0 GiB \(.*\). Reached: \d.* [MG]iB. To use less: switch", said)


WHOLE = ("dreambooth", "full")


@pytest.mark.parametrize("compute", [torch.float16, torch.float32])
@pytest.mark.parametrize("method", [*WHOLE, "lora"])
@pytest.mark.parametrize("optimizer", ["AdamW", "Prodigy"])
def test_each_change_that_is_offered_can_be_made_whatever_was_made_before(pictures, method, optimizer, compute):
    """The dearest first and the cheapest first, each alone and after the others."""
    card = SimpleNamespace(compute=compute, family=SD1, device=torch.device("cpu"))
    for order in (1, -1):
        run, made = small_run(pictures, method={"name": method}, training={
            "batch_size": 2, "optimizer": optimizer, "checkpointing": False}), set[str]()
        while left := [remedy for remedy in remedies(run, SD1, card) if remedy.text not in made]:
            remedy = min(left, key=lambda remedy: order * remedy.price)
            made.add(remedy.text)
            run = require_startable(run.with_values(remedy.values))
            used = SimpleNamespace(compute=torch.bfloat16 if run.method.computes_in_bf16 else compute)
            require_in_backward(run, used)
        assert run.training.in_backward == (method in WHOLE and (method, compute) != ("full", torch.float16))


def test_of_blocks_that_wait_elsewhere_two_count(pictures):
    sizes = {"sizes": lambda: {"unet": 100}, "block_sizes": lambda: [20, 10, 30]}
    card, cpu = (SimpleNamespace(device=torch.device(device), **sizes) for device in ("cuda", "cpu"))
    run = small_run(pictures, training={"offload": True})
    assert (size_of_unet(run, card), size_of_unet(run, cpu), size_of_unet(small_run(pictures), card)) == (90, 150, 100)
