"""The presets for graphics cards beside the plans that were made of them: docs/cards.json, by benchmarks.cards."""

import json

import pytest

from benchmarks.cards import OUT, free_on, preset_of, start_of
from extension_lib import methods
from extension_lib.config.purposes import GPUS
from extension_lib.families import FAMILIES

pytestmark = pytest.mark.once

ROWS = json.loads(OUT.read_text(encoding="utf-8"))["rows"]
PRESETS = [(row, card) for row in ROWS if row["presets"] for card in GPUS]


def test_every_method_was_planned_on_every_family_with_today_s_presets():
    assert {(row["family"], row["method"]) for row, _ in PRESETS} == {
        (family.name, method) for family in FAMILIES for method in methods.all_methods()}
    families = {family.name: family for family in FAMILIES}
    for row, card in PRESETS:
        run = start_of(families[row["family"]], row["method"], row["resolution"], card)
        assert row["presets"][card]["settings"] == preset_of(run), (row["family"], row["method"], card)


def test_a_preset_fits_its_card_wherever_anything_makes_the_method_fit():
    for row, card in PRESETS:
        if row["cards"][card]["needed"] <= free_on(card):
            assert row["presets"][card]["needed"] <= free_on(card), (row["family"], row["method"], card)


def test_a_larger_card_trains_whatever_a_smaller_one_does():
    for row in ROWS:
        fits = [row["cards"][card]["needed"] <= free_on(card) for card in GPUS]
        assert fits == sorted(fits), row["method"]
