"""The presets of graphics cards in docs/memory.md are today's, and fit their cards."""

import json

import pytest

from benchmarks.cards import OUT, free_on, preset_of, start_of
from extension_lib import methods
from extension_lib.config.purposes import GPUS
from extension_lib.families import FAMILIES

pytestmark = pytest.mark.once
ROWS = [row for row in json.loads(OUT.read_text(encoding="utf-8"))["rows"] if row["presets"]]
FAMILY = {family.name: family for family in FAMILIES}
TOO_LARGE = {("sdxl", name, card) for name in ("dreambooth", "full") for card in ("6", "8")}  # whatever is set


def cases():
    for row in ROWS:
        yield from ((row, card) for card in GPUS)


def name_of(value):
    return f"{value['family']}-{value['method']}" if isinstance(value, dict) else f"{value} GB"


def test_every_family_and_method_has_a_row():
    assert {(row["family"], row["method"]) for row in ROWS} == {
        (family.name, name) for family in FAMILIES for name in methods.all_methods()}


@pytest.mark.parametrize("row, card", cases(), ids=name_of)
def test_a_card_s_preset_is_the_one_in_the_table_and_fits_the_card(row, card):
    run = start_of(FAMILY[row["family"]], row["method"], row["resolution"], card)
    assert row["presets"][card]["settings"] == preset_of(run)
    assert (row["presets"][card]["needed"] <= free_on(card)) != ((row["family"], row["method"], card) in TOO_LARGE)
