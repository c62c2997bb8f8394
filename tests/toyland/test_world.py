"""Toyland's drawings and captions: what the base learns from, and what it never sees."""

from collections import Counter
from random import Random

import numpy as np
import pytest

from toyland.captions import caption
from toyland.figures import KINDS
from toyland.scene import COLOURS, Figure, Scene, draw, draw_with_mask
from toyland.settings import SETTINGS
from toyland.subjects import SUBJECTS
from toyland.world import HELD_OUT, random_scene

pytestmark = pytest.mark.once


def test_there_are_enough_kinds_colours_and_settings():
    assert len(KINDS) >= 8 and len(COLOURS) >= 8 and len(SETTINGS) >= 6


def test_fifteen_in_a_hundred_combinations_are_held_out_and_never_drawn_for_the_base():
    everything = len(KINDS) * len(COLOURS) * len(SETTINGS)
    assert abs(len(HELD_OUT) / everything - 0.15) < 0.005
    rng = Random(1)
    for _ in range(3000):
        scene = random_scene(rng)
        assert all((f.kind, f.colour, scene.setting) not in HELD_OUT for f in scene.figures)


def test_every_kind_colour_and_setting_is_held_out_somewhere():
    for choices, place in ((KINDS, 0), (COLOURS, 1), (SETTINGS, 2)):
        assert {c[place] for c in HELD_OUT} == set(choices)


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_is_between_30_and_70_percent_of_the_frame_high_but_for_a_tilted_limb(kind):
    rng, heights = Random(kind), []
    for _ in range(60):
        _, mask = draw_with_mask(Scene((Figure(kind, rng.choice(list(COLOURS))),), rng.choice(list(SETTINGS))), rng)
        rows = np.flatnonzero(np.array(mask).max(1) > 128)
        heights.append(rows[-1] - rows[0] + 1)
    least, most, limb = 0.30 * 64, 0.70 * 64, 4  # pixels; a limb that is tilted adds at most this, or takes it away
    assert least - limb < min(heights) < least + 4 and max(heights) < most + limb
    assert np.mean([least - 1 <= height <= most + 1 for height in heights]) > 0.85


def test_the_same_seed_draws_the_same_picture():
    scene = random_scene(Random(3))
    assert draw(scene, Random(4)).tobytes() == draw(scene, Random(4)).tobytes() != draw(scene, Random(5)).tobytes()


def test_one_caption_in_ten_is_empty_and_the_others_name_what_is_drawn():
    rng, empty, kinds = Random(5), 0, Counter()
    for _ in range(2000):
        scene = random_scene(rng)
        text = caption(scene, rng)
        empty += not text
        kinds.update(f.kind in text for f in scene.figures if text)
    assert 0.08 < empty / 2000 < 0.12 and not kinds[False]


def test_the_base_s_world_never_holds_a_subject():
    special = {s.figure.wears for s in SUBJECTS.values()}
    rng = Random(6)
    assert not any(f.wears in special for _ in range(3000) for f in random_scene(rng).figures)


@pytest.mark.parametrize("subject", SUBJECTS.values(), ids=SUBJECTS)
def test_a_subject_has_five_to_eight_pictures_with_captions_in_settings_it_is_not_judged_in(subject):
    pictures = sorted(subject.folder.glob("*.png"))
    assert 5 <= len(pictures) <= 8 and not set(subject.seen) & set(subject.unseen)
    assert all(subject.prompt in p.with_suffix(".txt").read_text(encoding="utf-8") for p in pictures)
