"""The grid of weight against step."""

from pathlib import Path

import pytest
from PIL import Image

from extension_lib.compare import grid, sheet
from extension_lib.compare.grid import GridPlan, draw_grid
from extension_lib.compare.series import LAST, Series
from extension_lib.host import Checkpoint, Interrupted, Picture


class Painter:
    """A host that paints a picture whose red says how often it was asked."""

    def __init__(self, until=1000):
        self.asked, self.until, self.calls, self.loaded = [], until, 0, "toyland"

    def current(self):
        return Checkpoint(self.loaded, self.loaded)

    def draw(self, pictures):
        self.calls += 1
        if self.calls > self.until:
            raise Interrupted("enough")
        self.asked += pictures
        return [Image.new("RGB", (p.width, p.height), (len(self.asked), 0, 0)) for p in pictures]


GHOST = Series("lora", "ghost", (("100", Path("ghost-000100.pt")), (LAST, Path("ghost.pt"))))
PLAN = GridPlan(GHOST, (0.0, 0.5, 1.0), ("a ghost",), (1, 2),
            Picture("", width=64, height=64))


def test_the_base_s_column_is_drawn_once_a_seed():
    host = Painter()
    list(draw_grid(PLAN, host))
    base = [p for p in host.asked if "<lora" not in p.prompt]
    assert len(base) == 2 and len(host.asked) == 2 + 2 * 2 * 2


def test_pictures_with_the_same_tag_are_asked_for_together():
    host = Painter()
    list(draw_grid(PLAN, host))
    assert host.calls == 5 and all(a.prompt == b.prompt for a, b in zip(host.asked[::2], host.asked[1::2]))


def test_it_yields_its_share_and_every_picture_once():
    shares, news = zip(*draw_grid(PLAN, Painter()))
    assert list(shares) == sorted(shares) and shares[-1] == 1.0
    assert {p for some in news for p in some} == {PLAN.picture_of(cell) for cell in PLAN.cells()}


@pytest.mark.parametrize("host, stopping", [(Painter(), iter([False, True]).__next__),
                                            (Painter(until=1), lambda: False)])
def test_stopping_and_the_host_s_interrupt_keep_what_is_done(host, stopping):
    assert [len(news) for _, news in draw_grid(PLAN, host, stopping)] == [2]


def test_another_checkpoint_in_the_middle_ends_it_with_a_reason():
    host = Painter()
    with pytest.raises(Interrupted, match="checkpoint was changed"):
        for _ in draw_grid(PLAN, host):
            host.loaded = "another"


def test_the_sheet_has_a_row_for_every_step_and_seed_and_leaves_room_for_what_is_missing():
    whole, empty = sheet.draw_sheet(PLAN, Painter()), sheet.compose_sheet(PLAN, {})
    assert whole.size == empty.size and whole.height > 4 * 128 and whole.width > 3 * 128
    assert whole.tobytes() != empty.tobytes()


@pytest.mark.parametrize("text, found", [("0, 0.5,1", (0, 0.5, 1)), ("1;2\n3", (1, 2, 3)), ("-0.5", (-0.5, )),
                                         ("1, 1", (1, ))])
def test_weights_are_read_as_people_write_them(text, found):
    assert grid.parse_weights(text) == found


@pytest.mark.parametrize("read, text, said", [(grid.parse_weights, "", "Write them as 0, 0.25"),
                                              (grid.parse_weights, "a, b", "'a, b' are not numbers"),
                                              (grid.parse_weights, "0.5 half", "half"),
                                              (grid.parse_seeds, "1.5", "The seeds '1.5'"),
                                              (grid.parse_weights, "0, "
                                               "inf", "weight inf"), (grid.parse_weights, "nan", "weight nan"),
                                              (grid.parse_seeds, "1, -1", "seed -1"),
                                              (grid.parse_seeds, str(2**32), "seed "
                                               f"{2**32}")])
def test_what_cannot_be_a_weight_or_a_seed_is_named(read, text, said):
    with pytest.raises(ValueError, match=said):
        read(text)


def test_a_checkpoint_whose_title_gains_its_hash_meanwhile_is_the_same():
    class Hashing(Painter):
        def current(self):
            return Checkpoint(f"toyland [{self.calls:010x}]", Path("toyland"))

    assert list(draw_grid(PLAN, Hashing()))[-1][0] == 1
