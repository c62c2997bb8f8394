"""Settings: described once, checked at the border."""

from contextlib import nullcontext
from dataclasses import dataclass

import pytest

from extension_lib.config.run import all_sections, from_dict, merge_values, new_words_of, require_startable, to_dict
from extension_lib.settings import LINES, SettingError, build, option, options
from extension_lib.support import toml


@dataclass(frozen=True)
class Sample:
    count: int = option(3, "How many.", min=1, max=9)
    rate: float = option(1e-4, "How fast.", min=0.0)
    on: bool = option(False, "Whether.")
    way: str = option("a", "Which.", choices=("a", "b"))
    lines: LINES = option((), "Several.")


@pytest.mark.parametrize("given, expected", [
    ({"count": "4"}, 4), ({"count": 4.0}, 4), ({"rate": "1e-3"}, 1e-3), ({"on": "yes"}, True), ({"on": 0}, False),
    ({"way": "b"}, "b"), ({"lines": "one\n\n two "}, ("one", "two")), ({"lines": ["x"]}, ("x",))])
def test_loose_values_become_the_option_s_kind(given, expected):
    (name, _), = given.items()
    assert getattr(build(Sample, given), name) == expected


@pytest.mark.parametrize("given, said", [
    ({"count": 0}, "s.count is 0, but must be at least 1"), ({"count": 10}, "at most 9"),
    ({"count": 1.5}, "whole number"),
    ({"rate": "fast"}, "s.rate is 'fast', but must be a number"), ({"rate": "nan"}, "finite"),
    ({"on": "maybe"}, "true or false"),
    ({"rate": 10**400}, "must be a number"), ({"lines": 5}, "must be lines of text"),
    ({"way": "c"}, "one of a, b"), ({"speed": 1}, "s.speed is not a setting"),
    ({"way": True}, "s.way is True, but must be text"), ({"way": ["a"]}, "must be text"), ({"way": {}}, "must be text"),
    ({"way": "\ud800"}, "no file can hold"), ({"way": "a\0"}, "no file can hold"),
    ({"way": 10**5000}, "a value of great length"), ({"count": 10**5000}, "a value of great length"),
    ({"count": None}, "None, but must be a number"), ({"on": None}, "true or false"), ({"on": 10**5000}, "true or"),
    ({"count": float("inf")}, "finite"), ({"lines": [["x"]]}, "must be text"), ({"lines": ["\udcff"]}, "no file can"),
    ({"way": "x" * 10_000}, r"s.way is 'x{76}\.\.\., but")])
def test_a_value_that_cannot_be_is_named_in_the_message(given, said):
    with pytest.raises(SettingError, match=said):
        build(Sample, given, "s")


def test_every_setting_of_every_section_has_help_and_a_default():
    for section, cls in all_sections().items():
        for o in options(cls):
            assert len(o.help) > 15, (section, o.name)
            assert o.default is not None, (section, o.name)


def test_a_run_survives_the_way_through_toml(tmp_path):
    run = from_dict({"output": {"name": "ghost"},
                     "concepts": [{"folder": "人物 照片", "instance_prompt": 'a "zwx" ghost'}],
                     "previews": {"prompts": ["a", "b"]}, "method": {"name": "lora", "rank": 3}})
    toml.write_toml(tmp_path / "run.toml", to_dict(run))
    assert from_dict(toml.read_toml(tmp_path / "run.toml")) == run


def test_a_file_saved_by_notepad_is_read(tmp_path):
    (tmp_path / "run.toml").write_text("training.steps = 3", encoding="utf-8-sig")
    assert from_dict(toml.read_toml(tmp_path / "run.toml")).training.steps == 3


@pytest.mark.parametrize("values, said", [
    ({"traning": {}}, r"\[traning\] is not a section"), ({"training": 3}, "training must be a section"),
    ({"method": {"name": "magic"}}, "method.name is 'magic'"),
    ({"method": {"rank": 0}}, "method.rank is 0, but must be at least 1"),
    ({"method": {"unet_rate": "quick"}}, "method.unet_rate is 'quick'"),
    ({"concepts": {"folder": "x"}}, "concepts must be a list")])
def test_what_is_no_run_is_refused_with_its_name(values, said):
    with pytest.raises(SettingError, match=said):
        from_dict(values)


@pytest.mark.parametrize("word, said", [
    ("a/b", "has /"), ("<zwx>", "has < >"), ("con", "on Windows"), ("", "word of its own")])
def test_a_word_that_cannot_name_its_file_is_refused(word, said):
    with pytest.raises(SettingError, match=said):
        new_words_of(from_dict({"concepts": [{"word": word}]}))


@pytest.mark.parametrize("changes, said", [
    ({"output": {"name": ""}}, "output.name"), ({"output": {"name": "../ghost"}}, r"\.\./ghost"),
    ({"output": {"name": "a:b"}}, "a:b"), ({"output": {"name": "CON"}}, "CON"),
    ({"base": {"checkpoint": ""}}, "base.checkpoint is empty"), ({"concepts": []}, "concepts.folder")])
def test_a_run_that_cannot_start_says_what_is_missing(changes, said):
    whole = {"output": {"name": "ghost"}, "base": {"checkpoint": "toyland"}, "concepts": [{"folder": "pictures"}]}
    require_startable(from_dict(whole))
    with pytest.raises(SettingError, match=said):
        require_startable(from_dict(merge_values(whole, changes)))


def test_a_folder_may_stand_in_the_quotes_in_which_windows_copies_it():
    assert from_dict({"concepts": [{"folder": '"C:\\my pictures"'}]}).concepts[0].folder == "C:\\my pictures"


def test_a_method_whose_name_is_none_is_named():
    with pytest.raises(SettingError, match="method.name is"):
        from_dict({"method": {"name": ["lora"]}})


@pytest.mark.parametrize("word", ["ghost (v2)", "[ghost]"])
def test_a_word_that_would_weigh_in_a_prompt_is_refused(word):
    with pytest.raises(SettingError, match="weigh words"):
        new_words_of(from_dict({"output": {"name": word}, "concepts": [{}]}))


@pytest.mark.parametrize("name, dora, allowed", [("loha", True, False), ("loha", False, True), ("lora", True, True)])
def test_dora_is_refused_in_a_precision_in_which_the_webui_loses_it(name, dora, allowed):
    run = from_dict({"output": {"name": "a"}, "base": {"checkpoint": "b"}, "concepts": [{"folder": "c"}],
                     "method": {"name": name, "dora": dora}, "saving": {"precision": "fp16"}})
    with nullcontext() if allowed else pytest.raises(SettingError, match="only in fp32"):
        require_startable(run)


def test_files_of_older_versions_that_hold_answers_to_a_start_are_still_read(tmp_path):
    text = 'output = {name = "ghost", again = "over", existing = "overwrite"}'
    (tmp_path / "run.toml").write_text(text, encoding="utf-8")
    assert from_dict(toml.read_toml(tmp_path / "run.toml")) == from_dict({"output": {"name": "ghost"}})
    assert from_dict({}).with_values({"output": {"again": "continue"}}) == from_dict({})


@pytest.mark.parametrize("text, said", [
    ("a = " + "[" * 10_000, "nested too deeply|not a readable"), ("a = " + "{a=" * 10_000, "not a readable"),
    ("a = " + "9" * 5000, "not a readable"), ("a.b = 1\na = 2", "not a readable"), ('a = "\\ud800"', "not a readable")])
def test_toml_that_no_one_wrote_by_hand_is_one_sentence(text, said):
    with pytest.raises(SettingError, match=said):
        toml.parse_toml(text)


def test_a_file_that_never_ends_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "large.toml"
    with open(path, "wb") as file:
        file.truncate(toml.LARGEST + 1)
    with pytest.raises(SettingError, match="larger than 16 MB"):
        toml.read_toml(path)
