"""The plan of a run: which pictures each batch shows. It needs no model."""

import subprocess
import sys
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from helpers import ROOT, small_run

from extension_lib.data.folder import Item
from extension_lib.data.plan import Plan, Sample, Share
from extension_lib.support.seeds import random_for

pytestmark = pytest.mark.once


def items(*sizes, repeats=1):
    return [Item(Path(f"{n}.png"), (f"picture {n}",), repeats, *size) for n, size in enumerate(sizes)]


def plan(listed, class_pictures=0, **sections):
    return Plan(small_run(Path("pictures"), **{"training": {"batch_size": 2}, **sections}), listed, class_pictures)


def shown(made, epoch):
    return [sample.item for sample in samples(made, epoch)]


def samples(made, epoch):
    return [sample for place in range(made.per_epoch) for sample in made.samples(epoch, place)]


def test_an_epoch_shows_every_picture_as_often_as_it_repeats():
    made = plan(items((64, 64), (64, 64), repeats=3) + items((64, 64)))
    assert sorted(shown(made, 0)) == sorted(shown(made, 1)) == [0, 0, 0, 1, 1, 1, 2]
    assert shown(made, 0) != shown(made, 1) and made.per_epoch == 4


def test_a_batch_depends_on_its_number_alone():
    listed = items(*[(64, 64)] * 9)
    changes = {"data": {"flip": True, "caption_dropout": 0.3}}
    made, again = plan(listed, 4, **changes), plan(listed, 4, **changes)
    assert [made.batch(n) for n in (7, 0, 12, 3)] == [again.batch(n) for n in (7, 0, 12, 3)]
    other = plan(listed, 4, training={"batch_size": 2, "seed": 5})
    assert [made.batch(n) for n in range(5)] != [other.batch(n) for n in range(5)]


def test_a_batch_holds_pictures_of_one_size():
    made = plan(items((128, 128), (256, 96), (128, 128), (256, 96), (250, 95)), data={"resolution": 128})
    batches = [made.batch(n) for n in range(made.per_epoch)]
    sizes = sorted((batch.size, len(batch.samples)) for batch in batches)
    assert sizes == [((128, 128), 2), ((192, 64), 1), ((192, 64), 2)]
    assert all({made.size_of(made.items[s.item]) for s in batch.samples} == {batch.size} for batch in batches)


def test_processes_share_each_batch_of_their_sizes_together():
    listed, run = items(*[(64, 64)] * 11), small_run(Path("pictures"), training={"batch_size": 2})
    shared, whole = Plan(run, listed, 5, processes=3), plan(listed, 5, training={"batch_size": 6})
    assert [shared.batch(n) for n in range(4)] == [whole.batch(n) for n in range(4)]
    for batch in map(whole.batch, range(2)):
        shares = [Share(rank, 3) for rank in range(3)]
        for held in ("samples", "prompts", "class_pictures"):
            parts = [getattr(batch.shared(share), held) for share in shares]
            assert Counter(sum(parts, ())) == Counter(getattr(batch, held))
        places = sum((batch.places(share) for share in shares), ())
        assert sorted(places) == list(range(2 * len(batch.samples)))


def test_each_sample_has_a_class_picture_where_there_are_any():
    made, without = plan(items(*[(64, 64)] * 4), class_pictures=3), plan(items(*[(64, 64)] * 4))
    numbers = [n for number in range(20) for n in made.batch(number).class_pictures]
    assert set(numbers) == {0, 1, 2} and len(numbers) == 40 and without.batch(0).class_pictures == ()


@pytest.mark.parametrize("flip", [False, True])
def test_pictures_are_mirrored_only_where_that_is_set(flip):
    made = plan(items(*[(64, 64)] * 20), data={"flip": flip})
    assert {sample.mirrored for sample in samples(made, 0)} == ({False, True} if flip else {False})


def test_an_epoch_is_planned_once(monkeypatch):
    made, asked = plan(items(*[(64, 64)] * 5)), []
    shuffle_epoch = made.shuffle_epoch
    monkeypatch.setattr(made, "shuffle_epoch", lambda epoch: asked.append(epoch) or shuffle_epoch(epoch))
    for number in range(9):
        made.batch(number)
    assert asked == [0, 1, 2]


@pytest.mark.parametrize("flip", [False, True])
def test_an_epoch_is_in_the_order_of_shuffled_lists(flip):
    """As it was planned before it was kept in little memory, so that earlier runs go on exactly."""
    made = plan(items(*[(64, 64), (128, 48)] * 6, repeats=3), data={"flip": flip}, training={"batch_size": 4})
    rng, by_size = random_for("epoch", made.run.training.seed, 2), {}
    for n, item in enumerate(made.items):
        for showing in range(item.repeats):
            by_size.setdefault(made.size_of(item), []).append(Sample(n, showing, flip and rng.random() < 0.5))
    batches = []
    for listed in by_size.values():
        rng.shuffle(listed)
        batches += [tuple(listed[i:i + 4]) for i in range(0, len(listed), 4)]
    rng.shuffle(batches)
    assert [made.samples(2, place) for place in range(made.per_epoch)] == batches


def test_many_showings_are_planned_in_parts_and_little_memory():
    made = plan(items(*[(64, 64)] * 200, repeats=1000), training={"batch_size": 1})
    assert made.per_epoch == 200_000 and made.last_epoch is None, "nothing is planned to count"
    tracemalloc.start()
    parts = sum(1 for _ in made.planning(0))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert parts > 4 and held < 5e6


def test_planning_needs_no_torch():
    code = "import sys, extension_lib.data.plan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
