"""What the check before the start says is what the run does."""

from collections import Counter
from pathlib import Path

import pytest
from helpers import draw_pictures, small_run
from PIL import Image

from extension_lib.data.batches import Batches
from extension_lib.data.buckets import bucket_of, buckets
from extension_lib.data.captions import vary_prompt
from extension_lib.data.doctor import find_problems, unreadable_pictures
from extension_lib.data.folder import FolderError, find_all_pictures
from extension_lib.data.held_out import split_held_out
from extension_lib.data.overview import advice, overview
from extension_lib.data.plan import Plan


@pytest.fixture
def run(tmp_path):
    draw_pictures(tmp_path / "3_wide", 3)
    draw_pictures(tmp_path / "1_square", 4)
    for path in (tmp_path / "3_wide").glob("*.png"):
        Image.open(path).resize((256, 128)).save(path)
    return small_run(tmp_path, data={"resolution": 128, "shuffle_captions": True},
                     training={"steps": 30, "batch_size": 4})


def planned(run):
    """What training plans, and the pictures held out."""
    found = [item for folder in find_all_pictures(run) for item in folder.items]
    items, held_out = split_held_out(found, run.data.held_out)
    return Plan(run, items), held_out


def test_pictures_showings_sizes_and_steps_are_those_of_the_run(run):
    said, (plan, _) = overview(run), planned(run)
    part, = said.parts
    assert (said.pictures, said.showings, part.repeats) == (7, 13, (1, 3))
    assert said.batches == plan.per_epoch == 4 and said.per_epoch == 4
    sizes = buckets(128)
    assert dict(part.sizes) == Counter(bucket_of(item.width, item.height, sizes) for item in plan.items)


def test_pictures_that_cannot_be_read_are_counted_as_training_counts_them(run, model):
    run = run.with_values({"data": {"held_out": 0.3}})
    for path in sorted(Path(run.concepts[0].folder).rglob("*.png"))[::3]:
        path.write_bytes(path.read_bytes()[:300])  # the header is whole, the picture is not
    batches = Batches(run, model, [item for folder in find_all_pictures(run) for item in folder.items], False)
    list(batches.prepare())
    said = overview(run, unreadable_pictures(find_problems(run)))
    assert (said.pictures, said.batches, said.showings) == (
        len(batches.items), batches.per_epoch, sum(item.repeats for item in batches.items))


def test_where_nothing_can_be_read_that_is_said(run):
    everything = {item.path for folder in find_all_pictures(run) for item in folder.items}
    with pytest.raises(FolderError, match="None of the pictures could be read"):
        overview(run, everything)


def test_held_out_pictures_are_counted_apart(run):
    run = run.with_values({"data": {"held_out": 0.3}})
    said, (plan, held_out) = overview(run), planned(run)
    assert (said.pictures, said.parts[0].held_out) == (len(plan.items), len(held_out)) == (5, 2)
    assert said.batches == plan.per_epoch and said.showings == sum(item.repeats for item in plan.items)


def test_accumulation_makes_fewer_steps_of_the_same_batches(run):
    said = overview(run.with_values({"training": {"accumulation": 4}}))
    assert (said.batches, said.per_epoch, said.epochs) == (4, 1.0, 30.0)


def test_the_prompts_shown_are_those_of_the_first_epoch(run):
    run = run.with_values({"data": {"held_out": 0.2}})
    said, items = overview(run), planned(run)[0].items
    for item, prompt in said.parts[0].prompts:
        assert prompt == vary_prompt(item.prompts, run.data, run.training.seed, 0, items.index(item), 0)


def test_every_concept_has_its_own_line(run, tmp_path):
    folder = draw_pictures(tmp_path / "second", 2)
    both = run.with_values(
        {"concepts": [{"folder": run.concepts[0].folder + "/1_square"}, {"folder": str(folder), "repeats": 5}]})
    assert [(len(p.items), p.showings) for p in overview(both).parts] == [(4, 4), (2, 10)]


@pytest.mark.parametrize("method, help", [("lora", "Class prompt penalty"), ("pivotal", "Class prompt penalty"),
                                          ("dreambooth", "Class pictures"), ("textual_inversion", "")])
def test_several_concepts_without_what_keeps_them_apart_are_advised(run, method, help):
    one = run.with_values({"method": {"name": method}, "prior": {"preserve": False}})
    two = one.with_values({"concepts": [{"folder": "here", "word": "zwx"}, {"folder": "there", "word": "qvk"}]})
    assert advice(one) == ""
    assert (help in advice(two)) if help else advice(two) == ""
    assert advice(two.with_values({"prior": {"penalty": 0.3}})) == "" == advice(
        two.with_values({"prior": {"preserve": True}}))
