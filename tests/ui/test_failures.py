"""The border of the page: a failing button answers with a sentence, and its traceback is in the log."""

import gradio as gr
import pytest

from extension_lib.ui.failures import show_failures


def page_with(function):
    """The function behind a button, as the page's border leaves it."""
    with gr.Blocks() as blocks:
        text, button = gr.Textbox(), gr.Button()
        button.click(function, [text], [text])
    show_failures(blocks)
    events = blocks.fns.values() if isinstance(blocks.fns, dict) else blocks.fns
    return next(event.fn for event in events if event.fn)


def crashes(text):
    raise KeyError(text)


def crashes_midway(text):
    yield "first"
    raise KeyError(text)


def test_a_crash_behind_a_button_is_a_sentence_and_a_traceback_in_the_log(caplog):
    with pytest.raises(gr.Error, match="This failed: .*ghost.*. See the console for details."):
        page_with(crashes)("ghost")
    assert "Traceback" in caplog.text and "crashes" in caplog.text


def test_a_crash_of_a_button_that_answers_piece_by_piece_keeps_the_first_pieces(caplog):
    answers = page_with(crashes_midway)("ghost")
    assert next(answers) == "first"
    with pytest.raises(gr.Error, match="This failed"):
        next(answers)
    assert "Traceback" in caplog.text


def test_what_works_is_left_as_it_is():
    assert page_with(str.upper)("ghost") == "GHOST"
    assert list(page_with(lambda text: iter((text, text)))("ghost")) == ["ghost", "ghost"]
