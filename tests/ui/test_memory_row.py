"""Before the start the page shows how much memory a run takes, and a button that makes it fit."""

import re

import gradio as gr
import pytest
from helpers import small_run
from shown import Shown

from extension_lib.memory import GIB, remedies
from extension_lib.runs import fit as fits
from extension_lib.runs.fit import Fit, Saving
from extension_lib.training.memory_plan import MemoryPlan
from extension_lib.ui.page import Page
from extension_lib.ui.panels.memory_row import MemoryRow
from extension_lib.ui.views.memory_view import memory_html

PLAN = MemoryPlan(weights=4 * GIB, trained=GIB, gradients=GIB, optimizer=2 * GIB, activations=2 * GIB, encoding=0,
                  preview=GIB, context=0)


def test_the_bar_s_parts_are_as_wide_as_they_are_large_and_end_where_memory_does():
    for free in (8, 20):
        shown = str(memory_html(Fit(PLAN, free * GIB, on_card=True)))
        widths = [float(width) for width in re.findall(r"width:([\d.]+)%", shown)]
        scale = max(free, 11)
        assert widths == pytest.approx([100 * size / GIB / scale for _, size in PLAN.parts], abs=0.01)
        assert f"left:{100 * free / scale:.2f}%" in shown
        assert ("not enough" in shown) == (free == 8)
    assert "Drawing a preview takes 1.0 GiB more" in Fit(PLAN, int(10.5 * GIB), on_card=False).verdict


def test_make_it_fit_sets_the_changes_that_were_listed(tmp_path, pictures, monkeypatch):
    with gr.Blocks():
        page = Page(Shown(tmp_path / "studio"))
    row, run = page.layout.train.memory, small_run(pictures, training={"batch_size": 2})
    fit = Fit(PLAN, 8 * GIB, False, tuple(Saving(remedy, GIB) for remedy in remedies(run)[:2]))
    monkeypatch.setattr(fits, "fit_on", lambda host, run: fit)
    monkeypatch.setattr(page.train_events, "run_on_page", lambda data: run)
    updates = page.train_events.plan_memory({})
    assert updates[row.fit]["visible"] and "saves 1.0 GiB" in updates[row.answer]
    set_ = page.train_events.make_it_fit({row.changes: updates[row.changes]})
    shown = {name: set_[page.layout.train.form.components["training", name]]["value"]
             for name in ("checkpointing", "batch_size", "accumulation")}
    assert shown == {"checkpointing": True, "batch_size": 1, "accumulation": 2}
    assert not set_[row.fit]["visible"]


def test_a_plan_that_fails_is_said_and_logged(monkeypatch, caplog):
    row = MemoryRow()
    monkeypatch.setattr(fits, "fit_on", lambda host, run: 1 / 0)
    assert "could not be planned: division by zero" in row.updates(None, None)[row.answer]
    assert "Planning the memory failed" in caplog.text
