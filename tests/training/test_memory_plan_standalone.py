"""The planned memory against that of a real step, for families, methods, batches, resolutions and checkpointing."""

import pytest
import torch
from helpers import BASE, draw_pictures

from benchmarks.plan import STORED, UNET_ALONE, above_weights, planned_and_measured, run_of
from extension_lib.models.diffusers_view import load_view

RUNS = [
    ("toyland", "float32", {"method": {"name": "textual_inversion"}, "training": {"batch_size": 2, **STORED}}),
    ("tiny-xl", "float32", {"method": {"name": "dreambooth", "bf16": True, "text_rate": 0.0},
                            "training": {"in_backward": True}}),
    ("tiny-xl", "float32", {"method": UNET_ALONE}),
]


@pytest.fixture(scope="module")
def found(tiny, tmp_path_factory):
    """Planned and measured bytes of every run."""
    pictures, pairs = draw_pictures(tmp_path_factory.mktemp("p"), 2), []
    for name, precision, change in RUNS:
        view = load_view(BASE if name == "toyland" else tiny(name), torch.device("cpu"), getattr(torch, precision))
        run = run_of(pictures, {"data": {"resolution": 64}, **change})
        plan, most = planned_and_measured(view, run)
        pairs.append((above_weights(plan, run, view), most))
    return pairs


@pytest.mark.parametrize("number", range(len(RUNS)), ids=lambda n: f"{RUNS[n][0]}-{RUNS[n][2]['method']['name']}-{n}")
def test_the_plan_is_the_measured_peak(found, number):
    planned, most = found[number]
    assert planned == pytest.approx(most, rel=0.05)


def test_of_two_runs_the_one_that_is_planned_larger_is_larger(found):
    assert sorted(range(len(RUNS)), key=lambda n: found[n][0]) == sorted(range(len(RUNS)), key=lambda n: found[n][1])
