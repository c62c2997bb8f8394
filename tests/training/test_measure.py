"""The loss on fixed noise: it compares steps and runs, and measuring changes nothing."""

from pathlib import Path

import pytest
import torch
from helpers import losses, small_run, trained

from extension_lib.data.folder import Item
from extension_lib.data.held_out import split_held_out
from extension_lib.events import Measured

pytestmark = pytest.mark.once


def measured(events):
    return [e for e in events if isinstance(e, Measured)]


def outcome(model, run):
    events, trainable = trained(model, run)
    state = {k: v.detach().clone() for k, v in trainable.state_dict().items()}
    trainable.detach()
    return events, state


RANDOM = {"method": {"dropout": 0.3, "module_dropout": 0.2}, "data": {"caption_dropout": 0.3, "shuffle_captions": True}}


def test_measuring_changes_no_number_of_the_run(model, pictures):
    with_it, learned = outcome(model, small_run(pictures, training={"steps": 5, "measure_every": 1}, **RANDOM))
    without, other = outcome(model, small_run(pictures, training={"steps": 5, "measure_every": 6}, **RANDOM))
    assert len(measured(with_it)) == 6 and not measured(without)
    assert losses(with_it) == losses(without) and all(torch.equal(learned[k], other[k]) for k in learned)


def test_runs_of_other_seeds_begin_with_the_same_loss_and_part_ways(model, pictures):
    runs = [small_run(pictures, data={"held_out": 0.4}, training={"seed": seed, "measure_every": 4}) for seed in (1, 2)]
    one, two = (measured(outcome(model, run)[0]) for run in runs)
    assert (one[0].loss, one[0].on) == (two[0].loss, two[0].on) and one[-1].loss != two[-1].loss


def test_pictures_held_out_are_not_trained_on(model, pictures):
    few, _ = outcome(model, small_run(pictures, data={"held_out": 0.4}, training={"measure_every": 4}))
    alike, _ = outcome(model, small_run(pictures, training={"measure_every": 4}))
    assert few[0].pictures == 3 and alike[0].pictures == 5
    assert measured(few)[0].held_out and not measured(alike)[0].held_out
    assert measured(few)[0].on != measured(alike)[0].on


@pytest.mark.parametrize("count, share, held", [(10, 0.0, 0), (10, 0.1, 1), (10, 0.5, 5), (3, 0.01, 1), (1, 0.5, 0)])
def test_some_are_held_out_and_at_least_one_is_left(count, share, held):
    items = [Item(Path(f"a/{n}.png"), ("x",), 1, 64, 64) for n in range(count)]
    kept, out = split_held_out(items, share)
    assert (len(kept), len(out)) == (count - held, held)
    assert split_held_out(items[::-1], share)[1] == out[::-1], "the same ones, in whatever order they are found"
