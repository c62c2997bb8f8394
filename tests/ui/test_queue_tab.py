"""The Queue tab without a browser: what its buttons do, and what it says."""

import re
import shutil
from dataclasses import replace

import gradio as gr
import pytest
from helpers import draw_pictures, quick_run, write_trained_state
from shown import Shown

from extension_lib.overnight.outcome import conclude
from extension_lib.overnight.queue import queue_of
from extension_lib.overnight.row import DONE, FAILED, INTERRUPTED, RUNNING
from extension_lib.overnight.rules import Rules, read_rules
from extension_lib.ui.page import Page
from extension_lib.ui.views.queue_view import queue_table
from extension_lib.workspaces.workspace import create_workspace


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with gr.Blocks():
        return Page(Shown(tmp_path_factory.mktemp("webui")))


@pytest.fixture
def queue(page):
    yield queue_of(page.layout.host.folders)
    queue_of(page.layout.host.folders).path.unlink(missing_ok=True)


@pytest.fixture
def three(page, queue, tmp_path):
    folder = draw_pictures(tmp_path / "pictures", 1)
    return [queue.add(quick_run(folder, output={"name": name}), name).id for name in ("one", "two", "three")]


def names(queue):
    return [row.name for row in queue.rows()]


def cells(page, queue):
    """By name, the row's HTML."""
    table = str(queue_table(queue.rows(), page.layout.host.folders))
    return dict(zip(names(queue), re.findall(r"<tr data-id.*?</tr>", table)))


@pytest.mark.parametrize(("verb", "order"), [("up 2", "two one three"), ("down 2", "one three two"),
                                             ("up 1", "one two three"), ("down 3", "one two three"),
                                             ("before 3 1", "three one two"), ("end 1", "two three one")])
def test_a_run_is_moved(page, queue, three, verb, order):
    page.layout.queue.act(verb)
    assert names(queue) == order.split()


def test_a_row_has_its_picture_its_method_its_steps_and_its_buttons(page, queue, three):
    row = cells(page, queue)["one"]
    assert "data:image/jpeg" in row and "LoRA" in row and "<td>4</td>" in row and "unknown" in row
    assert re.findall(r'data-queue="(\w+) 1"', row) == ["up", "down", "hold", "cancel", "copy"]


def test_each_button_does_what_it_says_and_the_row_says_so(page, queue, three):
    tab = page.layout.queue
    tab.act("hold 1")
    assert "paused" in cells(page, queue)["one"] and "Continue" in cells(page, queue)["one"]
    tab.act("again 1")
    assert "waiting" in cells(page, queue)["one"]
    tab.act("cancel 1")
    assert "cancelled" in cells(page, queue)["one"] and "Retry" in cells(page, queue)["one"]
    assert "cancelled already" in tab.act("cancel 1")[tab.answer]
    tab.clear_over()
    assert names(queue) == ["two", "three"]


def test_a_run_that_failed_says_why_and_one_that_runs_how_far_it_is(page, queue, three):
    queue.update(three[0], state=FAILED, reason="There is no <folder>.", ended=1.0)
    queue.update(three[1], state=RUNNING, request="cancel", number=0)
    shown = cells(page, queue)
    assert "There is no &lt;folder&gt;." in shown["one"]
    assert "ends after this step" in shown["two"] and 'aria-valuenow="0"' in shown["two"]


def test_after_a_restart_it_is_asked_above_all_tabs(page, queue, three):
    tab = page.layout.queue
    queue.update(three[0], state=INTERRUPTED)
    asked = tab.show()[tab.asks]
    assert "while one was trained" in asked and "Continue" in cells(page, queue)["one"]
    tab.act("again 1")
    assert tab.show()[tab.asks] == ""


def test_only_what_has_changed_is_drawn_anew(page, queue, three):
    tab = page.layout.queue
    seen = tab.show()[tab.seen]
    assert tab.table not in tab.follow(seen)
    queue.update(three[0], state=DONE, ended=1.0)
    assert tab.table in tab.follow(seen)


def test_the_queue_is_stopped_and_goes_on(page, queue):
    tab = page.layout.queue
    assert tab.stop_or_go()[tab.stop]["value"] == "Run the queue" and queue.fact("stopped")
    assert tab.stop_or_go()[tab.stop]["value"] == "Pause the queue" and not queue.fact("stopped")


def test_rules_are_kept_and_bad_ones_are_refused_with_a_sentence(page, queue):
    tab = page.layout.queue
    assert "follows these rules" in tab.keep_rules("go on", "22:00", "7:00", 5, True)
    assert read_rules(queue) == Rules("go on", "22:00", "7:00", 5.0, True)
    assert "must be a time of day" in tab.keep_rules("ask", "late", "7:00", 0, False)


def test_a_damaged_queue_is_said_and_breaks_nothing_else(page, queue):
    tab = page.layout.queue
    queue.path.parent.mkdir(parents=True, exist_ok=True)
    queue.path.write_bytes(b"no database" * 100)
    assert "cannot be used" in tab.show()[tab.table] and "cannot be used" in tab.act("up 1")[tab.answer]


@pytest.fixture
def shown(page, queue, tmp_path):
    """A workspace, and what the page hands over when it shows it."""
    layout, host = page.layout, page.layout.host
    host.folders.checkpoints.mkdir(parents=True, exist_ok=True)
    host.checkpoints()[0].path.write_bytes(b"")
    run = quick_run(draw_pictures(tmp_path / "pictures", 1), training={"seed": 7})
    space = create_workspace(host.folders.workspaces, "ghost", run)
    data = {**{field: getattr(field, "value", None) for field in layout.run_fields}, layout.model.workspace: "ghost",
            layout.train.question: None, layout.train.choices_shown: []}
    data |= {field: update["value"] for field, update in layout.run_updates(run, run).items()
             if isinstance(update, dict) and "value" in update}
    data |= dict.fromkeys(layout.train.sweep.inputs())
    yield space, data
    shutil.rmtree(host.folders.workspaces)


def test_add_to_queue_asks_what_train_would_ask_and_takes_what_the_page_shows(page, queue, shown):
    layout, (space, data) = page.layout, shown
    said = page.train_events.add_to_queue(data)
    assert "Added ghost to the queue" in said[layout.train.answer]
    assert queue.rows()[0].run().training.seed == 7
    queue.cancel(queue.rows()[0].id)
    write_trained_state(space, 4, number=1)
    said = page.train_events.add_to_queue(data)
    assert said[layout.train.question]["visible"] and len(queue.rows()) == 1
    answered = {**data, layout.train.question: "restart-overwrite",
                layout.train.choices_shown: said[layout.train.choices_shown]}
    page.train_events.add_to_queue(answered)
    assert queue.rows()[0].answer == "restart-overwrite"


def test_several_values_are_counted_and_added_with_their_time(page, queue, shown):
    sweep, (_, data) = page.layout.train.sweep, shown
    assert "at least one setting" in page.train_events.count_sweep(data)[sweep.answer]
    data |= {sweep.keys[0]: "Rank", sweep.values[0]: "2, 4", sweep.keys[2]: "Seed",
             sweep.values[2]: "0, 1, 2"}
    assert "6 runs. How long" in page.train_events.count_sweep(data)[sweep.answer]
    assert queue.rows() == []
    assert "Added 6 runs" in page.train_events.add_sweep(data)[sweep.answer]
    rows = queue.rows()
    assert {(row.run().method.rank, row.run().training.seed) for row in rows} == {
        (rank, seed) for rank in (2, 4) for seed in (0, 1, 2)}
    queue.update(rows[0].id, state=DONE, seconds=8.0, ended=1.0)
    assert "6 runs, 48 s in all" in page.train_events.count_sweep(data)[sweep.answer]


def test_the_newest_sweep_is_shown_and_another_when_it_is_chosen(page, queue, three):
    tab, folders = page.layout.queue, page.layout.host.folders
    for name in ("ghost-1", "ghost-2"):
        (folders.workspaces / "sweeps" / name).mkdir(parents=True, exist_ok=True)
        conclude(name, [replace(row, sweep=name, state=FAILED, varied='{"training.seed": 5}', reason=f"Not {name}.")
                        for row in queue.rows()[:1]], page.layout.host)
    shown = tab.show()
    assert shown[tab.sweep]["value"] == "ghost-2" and "Not ghost-2." in shown[tab.outcome]
    assert "Not ghost-1." in tab.show_outcome("ghost-1") and ">Seed<" in tab.show_outcome("ghost-1")
    assert "no run 1 that is done" in tab.act("use 1", "ghost-1")[tab.answer]
    assert tab.outcome not in tab.follow(shown[tab.seen]), "what someone has chosen stays"
    shutil.rmtree(folders.workspaces / "sweeps")
