"""Alarms in real runs: a healthy one raises none, and each kind of spoiled run its own."""

import math

from helpers import small_run, trained

from extension_lib.events import Alarmed
from extension_lib.training.alarms import with_alarms


def told(model, run):
    events, trainable = trained(model, run)
    trainable.detach()
    return [e for e in with_alarms(run, iter(events)) if isinstance(e, Alarmed)]


def long_run(pictures, **sections):
    return small_run(
        pictures, **{
            "method": {"text_rate": 0}, **sections, "training": {
                "steps": 100, "batch_size": 1, "checkpointing": False, "measure_every": 25,
                **sections.get("training", {})
            }
        })


def test_a_run_of_usual_rates_raises_none(model, pictures):
    assert told(model, long_run(pictures, data={"held_out": 0.4})) == []


def test_a_rate_that_is_far_too_low_is_told(model, pictures):
    alarm, = told(model, long_run(pictures, method={"unet_rate": 1e-9, "text_rate": 0, "skip_blocks": "IN00-OUT05"}))
    assert alarm.kind == "no effect" and "ten times the learning rate" in alarm.remedy


def test_a_rate_that_is_far_too_high_is_told(model, pictures):
    found = told(model, long_run(pictures, method={"unet_rate": 1.0, "text_rate": 0},
                                 training={"steps": 8, "measure_every": 4, "warmup": 0}))
    assert "exploding" in [a.kind for a in found]


def test_a_loss_that_is_no_number_is_told_at_once(model, pictures, monkeypatch):
    predict = model.predict
    monkeypatch.setattr(model, "predict", lambda *a: predict(*a) * math.nan)
    found = told(model, small_run(pictures, training={"steps": 3}))
    assert [(a.kind, a.step) for a in found] == [("not finite", 1)] and "--no-half" in found[0].remedy


def test_copying_is_told(model, tmp_path):
    """Two pictures learned by heart with a high rate; the others show other places."""
    from helpers import draw_pictures

    run = long_run(draw_pictures(tmp_path / "few", 4), data={"held_out": 0.5},
                   training={"schedule": "constant", "measure_every": 10, "steps": 60},
                   method={"unet_rate": 1e-2, "text_rate": 0, "rank": 16})
    assert "overfitting" in [a.kind for a in told(model, run)]
