"""The grid of weight against step."""

import pytest
from PIL import Image

from extension_lib.compare.grid import Plan, copies, drawn, weights
from extension_lib.host import Picture


class Painter:
    """A host that paints a picture whose grey says how often it was asked."""

    def __init__(self):
        self.asked = []

    def draw(self, pictures):
        self.asked += pictures
        return [Image.new("RGB", (p.width, p.height), (len(self.asked), 0, 0)) for p in pictures]


PLAN = Plan(("ghost-000100", "ghost"), (0.0, 0.5, 1.0), ("a ghost",), (1, 2), Picture("", width=64, height=64))


def test_the_base_s_column_is_drawn_once_a_seed():
    host = Painter()
    list(drawn(PLAN, host))
    base = [p for p in host.asked if "<lora" not in p.prompt]
    assert len(base) == 2 and len(host.asked) == 2 + 2 * 2 * 2


def test_it_yields_its_share_and_last_the_grid():
    shares, grids = zip(*drawn(PLAN, Painter()))
    assert list(shares) == sorted(shares) and shares[-1] == 1.0
    assert all(g is None for g in grids[:-1]) and grids[-1].width > 3 * 128


def test_stopping_gives_the_rows_that_are_done():
    whole = list(drawn(PLAN, Painter()))[-1][1]
    part = list(drawn(PLAN, Painter(), stopping=lambda: True))[-1][1]
    assert part.width == whole.width and part.height < whole.height / 2


def test_the_copies_of_a_name_come_in_the_order_of_their_steps(tmp_path):
    for name in ("ghost", "ghost-000500", "ghost-000050", "ghosts", "ghost-v2", "other-000050"):
        (tmp_path / f"{name}.safetensors").touch()
    assert copies(tmp_path, "ghost") == ("ghost-000050", "ghost-000500", "ghost")


@pytest.mark.parametrize("text, found", [("0, 0.5,1", (0, 0.5, 1)), ("1;2\n3", (1, 2, 3)), ("-0.5", (-0.5,))])
def test_weights_are_read_as_people_write_them(text, found):
    assert weights(text) == found


@pytest.mark.parametrize("text", ["", "a, b", "0.5 half"])
def test_what_is_no_weight_is_named(text):
    with pytest.raises(ValueError, match="Write them as 0, 0.25"):
        weights(text)
