"""After a crash the workspace says what is kept, and one press continues from there."""

import gradio as gr
import pytest
from helpers import write_trained_state
from shown import Shown

from extension_lib.runs import job as jobs
from extension_lib.runs.start import CONTINUE_OVERWRITE
from extension_lib.setup.practice import BASE
from extension_lib.support.locks import locked
from extension_lib.ui.page import Page
from extension_lib.ui.views.workspace_tiles import last_run
from extension_lib.workspaces import workspace


@pytest.fixture
def page(tmp_path):
    with gr.Blocks():
        return Page(Shown(tmp_path / "studio"))


@pytest.fixture
def space(page):
    """A workspace whose program was killed after step 57, when 50 steps were kept."""
    page.layout.model.create_workspace("ghost", "toyland", "thing", "lora")
    made = workspace.open_workspace(page.layout.host.folders.workspaces, "ghost")
    log = made.new_log()
    for step in (56, 57):
        log.write_line("step", step=step, loss=0.1)
    write_trained_state(made, 50, number=1)
    return made


def row(page, space):
    kept = page.layout.train.kept
    updates = kept.updates(space)
    return updates[kept.notice]["value"], updates[kept.button]["visible"]


SAID = "Interrupted at step 57. 50 steps are kept."


def test_an_interrupted_run_is_said_with_what_is_kept(page, space):
    said, continues = row(page, space)
    assert SAID in said and continues and last_run(space) == SAID


def test_a_run_that_ended_and_whose_files_are_written_is_no_matter(page, space):
    space.new_log().write_line("ended", step=50, why="All 50 steps are done.", failed=False)
    assert row(page, space)[1] and "50 steps are kept" in row(page, space)[0]  # its file was not written
    space.update_about(files_saved=1)
    assert row(page, space) == ("", False) and last_run(space) == "All 50 steps are done."


def test_a_run_of_another_program_is_not_called_interrupted(space):
    with locked(space.folder / workspace.LOCK, "It"):
        assert last_run(space) == "Training now, in another program"


def test_one_press_continues_without_a_question(page, space, monkeypatch, tmp_path):
    answers = []
    monkeypatch.setattr("extension_lib.ui.events.train_events.start_run",
                        lambda run, host, space, answer: answers.append(answer) or jobs.Job(run, host, space, None))
    run, layout = space.read_run().with_values({"concepts": [{"folder": str(tmp_path)}]}), page.layout
    data = {component: component.value for component in layout.run_fields}
    data |= {component: update["value"] for component, update in layout.run_updates(run, run).items()
             if isinstance(update, dict) and "value" in update}
    data |= {layout.model.workspace: "ghost", layout.train.question: None, layout.train.choices_shown: []}
    assert BASE.exists() and page.train_events.continue_kept(data)[layout.train.started] is not None
    assert answers == [CONTINUE_OVERWRITE]
    (layout.host.folders.lora).mkdir(parents=True)
    (layout.host.folders.lora / "ghost.safetensors").write_bytes(b"someone else's")
    page.train_events.continue_kept(data)
    assert answers == [CONTINUE_OVERWRITE, ""]  # a file of someone else is asked about
