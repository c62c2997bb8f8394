"""BOFT's groups: every layer with an even number of outputs has one size that fits."""

import pytest
from lycoris.functional import power2factorization

from extension_lib.methods.boft import group_size


@pytest.mark.parametrize("wanted", (2, 5, 8, 16, 40))
def test_a_group_is_the_largest_up_to_what_is_wanted_or_else_the_smallest_there_is(wanted):
    for outputs in range(2, 1400, 6):
        divisors = [size for size in range(2, outputs + 1, 2) if outputs % size == 0]
        allowed = [size for size in divisors if (outputs // size).bit_count() == 1]
        small = [size for size in allowed if size <= wanted]
        assert group_size(outputs, wanted) == (max(small) if small else min(allowed))
        assert power2factorization(outputs, wanted)[1] == (outputs // max(small) if small else 0)
