"""The page can be built by this environment's Gradio: the WebUI's 3.41 in one, a current one in the other."""

import re

import gradio as gr
import pytest
from shown import Shown

from extension_lib import methods
from extension_lib.config.run import all_sections, from_dict
from extension_lib.settings import options
from extension_lib.ui.page import Page
from extension_lib.ui.panels.form import limits_of


@pytest.fixture
def blocks():
    return gr.Blocks()


@pytest.fixture
def page(blocks, tmp_path):
    with blocks:
        return Page(Shown(tmp_path))


DRAWN_ELSEWHERE = {("base", "checkpoint")}  # chosen with the workspace


def test_every_setting_of_every_section_has_a_component(page):
    form = page.layout.train.form
    drawn = {*form.components, *(("concepts", name) for name in page.layout.concepts.fields),
             *((f"method ({method})", name) for method, name in form.method_components)}
    known = {(section, o.name) for section, cls in all_sections().items() for o in options(cls)}
    assert known - DRAWN_ELSEWHERE == drawn


def test_every_component_has_a_name_for_scripts_and_stays_out_of_the_webui_s_saved_values(page):
    made = page.layout.train.form.all_components()
    assert all(one.elem_id.startswith("darkroom_") and one.do_not_save_to_config for one in made)
    assert len({one.elem_id for one in made}) == len(made)


def test_every_name_is_there_once(blocks, page):
    """A script, a style or a click would else mean one and get the other."""
    names = [name for name in (getattr(block, "elem_id", None) for block in blocks.blocks.values()) if name]
    assert sorted({name for name in names if names.count(name) > 1}) == [] and len(names) > 100


@pytest.mark.parametrize("name", methods.all_methods())
def test_choosing_a_method_shows_its_options_with_its_own_words_limits_and_values(page, name):
    run = from_dict({"method": {"name": name}})
    updates = page.layout.train.form.updates(run)
    own = {page.layout.train.form.method_components[name, o.name]: o for o in options(run.method)}
    for component in page.layout.train.form.shared.values():
        said, option = updates[component], own.get(component)
        assert said["visible"] == (option is not None)
        if option:
            assert (said["label"], said["info"]) == (option.label, option.help)
            assert {**said, "value": None}.items() >= limits_of(option).items()


def test_every_method_can_be_chosen_and_says_what_it_is(page):
    assert [value for _, value in page.layout.train.method.choices] == list(methods.all_methods())
    for method in methods.all_methods().values():
        assert len(method.__doc__) > 80 and method.title


def test_a_page_that_was_just_opened_learns_its_workspace_from_entering_alone(page):
    about, follow = page.layout.model.about, page.train_events.follow
    assert about not in follow("", None) and about in follow("an earlier look", None)


def test_what_is_asked_for_every_second_shows_no_progress(blocks, page):
    events = blocks.get_config_file()["dependencies"]
    of_poll = [event for event in events if str(page.layout.poll._id) in re.findall(r"\d+", str(event["targets"]))]
    assert [event["show_progress"] for event in of_poll] == ["hidden"]
