"""Which settings are said to have changed since a state was saved, also where another version saved it."""

import pytest

from extension_lib import methods
from extension_lib.config.run import from_dict
from extension_lib.runs.changes import changed_settings, flat_settings

pytestmark = pytest.mark.once


def settings(method="lora", **values):
    return flat_settings(from_dict({"concepts": [{"folder": "a"}], **values, "method": {"name": method}}))


@pytest.mark.parametrize("method", methods.all_methods())
def test_a_setting_that_an_older_version_lacked_has_not_changed(method):
    now = settings(method)
    for name in now:
        if name != "method.name":
            assert changed_settings({key: value for key, value in now.items() if key != name}, now) == "", name


def test_a_new_setting_that_was_chosen_since_has_changed():
    now = settings(noise={"loss": "Huber"})
    old = {name: value for name, value in now.items() if name != "noise.loss"}
    assert changed_settings(old, now) == "these settings have changed: noise.loss ('squared' to 'Huber')"


def test_a_setting_that_only_the_older_version_had_has_not_changed():
    assert changed_settings({**settings(), "noise.gone": 1, "concepts.1.gone": 1}, settings()) == ""


def test_a_concept_that_came_or_went_is_said_by_what_it_sets():
    two = settings(concepts=[{"folder": "a"}, {"folder": "b", "repeats": 3}])
    assert changed_settings(settings(), two) == "these settings have changed: concepts.2.repeats (1 to 3)"
    assert changed_settings(two, settings()) == "these settings have changed: concepts.2.repeats (3 to 1)"


def test_another_title_of_the_same_checkpoint_is_no_change_of_settings():
    assert changed_settings(settings(base={"checkpoint": "sd1"}), settings(base={"checkpoint": "sd1 [abc]"})) == ""
