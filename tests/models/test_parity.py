"""LDM's classes and diffusers' learn the same: both are held against figures written by the standalone host."""

import json
import os
from pathlib import Path

import pytest
import torch
from helpers import draw_pictures, losses, small_run, trained
from safetensors.torch import load_file, save_file

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
LONG = "a zwx ghost_(pac-man) [in] a (room:1.3), " + ", ".join(["a small picture of a blue ghost"] * 25)
RATES = {"rank": 1, "alpha": 1, "unet_rate": 5e-3, "text_rate": 2e-3}


def hard_run(folder, **rates):
    """Captions with brackets and 150 tokens, clip skip 2."""
    draw_pictures(folder, 4)
    (folder / "0.txt").write_text(LONG, encoding="utf-8")
    (folder / "1.txt").write_text("ghost_(pac-man), [x], \\(y\\)", encoding="utf-8")
    return small_run(folder, method={**RATES, **rates}, data={"clip_skip": 2},
                     training={"steps": 20, "batch_size": 2, "warmup": 0.0})


@pytest.fixture(scope="module")
def learned(view, tmp_path_factory):
    from extension_lib.models.frozen import frozen

    with frozen(view.unet, *view.text_models, view.vae):
        events, trainable = trained(view, hard_run(tmp_path_factory.mktemp("hard")))
        state = {k: v.detach().clone() for k, v in trainable.state_dict().items() if k.endswith("lora_up.weight")}
        trainable.detach()
        view.unpark()
    if os.environ.get("WRITE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / "parity.json").write_text(json.dumps(losses(events)) + "\n", encoding="utf-8")
        save_file({k: v.half().contiguous() for k, v in state.items()}, GOLDEN / "parity.safetensors")
    return losses(events), state


def test_the_first_twenty_losses_agree(learned):
    expected = json.loads((GOLDEN / "parity.json").read_text(encoding="utf-8"))
    assert learned[0] == pytest.approx(expected, rel=1e-3)


def test_what_is_learned_points_the_same_way(learned):
    expected = {k: v.double() for k, v in load_file(GOLDEN / "parity.safetensors").items()}
    assert expected.keys() == learned[1].keys()
    for key, ours in learned[1].items():
        if expected[key].norm() > 1e-4:  # a layer that attends over one place learns nothing but rounding errors
            assert torch.cosine_similarity(ours.double().flatten(), expected[key].flatten(), dim=0) > 0.999, key


@pytest.mark.once
def test_the_rate_is_one_at_which_learning_shows(model, tmp_path):
    events, trainable = trained(model, hard_run(tmp_path / "still", unet_rate=1e-12, text_rate=1e-12))
    trainable.detach()
    moved = json.loads((GOLDEN / "parity.json").read_text(encoding="utf-8"))
    assert max(abs(a - b) / b for a, b in zip(moved, losses(events))) > 0.05
