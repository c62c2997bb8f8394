"""Conditions: rows are chosen and joined, and shorter ones are filled up."""

from typing import Any

import pytest
import torch

from extension_lib.model import Condition

EMPTY = Condition(torch.full((1, 2, 3), -1.0), torch.zeros(1, 4))


def condition(rows, tokens, value, sizes=None) -> Any:
    return Condition(torch.full((rows, tokens, 3), value), torch.full((rows, 4), value), sizes)


def test_shorter_ones_are_filled_up_with_the_empty_prompt_and_keep_what_is_pooled():
    joined: Any = Condition.joined([condition(2, 2, 1.0), condition(1, 6, 2.0)], EMPTY)
    assert joined.hidden[:, :, 0].tolist() == [[1, 1, -1, -1, -1, -1]] * 2 + [[2] * 6]
    assert joined.pooled[:, 0].tolist() == [1, 1, 2]


def test_a_family_without_pooled_vectors_has_none_after_joining():
    joined = Condition.joined([Condition(torch.zeros(1, 2, 3)), Condition(torch.ones(1, 2, 3))])
    assert joined.tokens == 2 and joined.pooled is joined.sizes is None


@pytest.mark.parametrize("which", [[1, 0, 1], slice(-2, None)])
def test_rows_are_chosen_in_all_of_it(which):
    whole: Any = Condition.joined([condition(1, 2, float(n), torch.full((1, 6), float(n))) for n in range(3)])
    chosen = whole.rows(which)
    for tensor, of in zip(chosen.tensors(), whole.tensors()):
        assert torch.equal(tensor, of[which])


def test_sizes_stay_exact_in_half_precision():
    hidden, pooled, sizes = condition(1, 2, 1.0, torch.full((1, 6), 4095.0)).inputs(torch.float16)
    assert hidden.dtype == pooled.dtype == torch.float16 and sizes[0, 0] == 4095.0
