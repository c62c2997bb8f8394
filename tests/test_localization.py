"""The translations in localizations/: complete, with nothing that is not said, and as the WebUI reads them."""

import html
import json
import re
import sys

import pytest
from eager import SHIPPED
from helpers import ROOT

sys.path.insert(0, str(ROOT / "tests" / "ui"))
from shown import Shown  # noqa: E402
from texts import texts  # noqa: E402

from extension_lib.ui.tabs.train_tab import method_help_html

FILES = sorted((ROOT / "localizations").glob("*.json"))
VALUE = re.compile(r"\{(?:text)? ?(\d*)\}")


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def language(request):
    return json.loads(request.param.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    return texts(Shown(tmp_path_factory.mktemp("studio")))


def test_simplified_chinese_is_there():
    assert "zh_CN" in [path.stem for path in FILES]


def test_every_text_of_the_page_has_a_translation(language, said):
    assert sorted(said - set(language)) == []


def test_every_method_s_help_is_shown_as_the_one_text_that_is_translated(language):
    shown = {html.unescape(str(method_help_html(name)).removeprefix("<p>").removesuffix("</p>")) for name in SHIPPED}
    assert sorted(shown - set(language)) == []


def test_nothing_is_translated_that_is_not_said(language, said):
    assert sorted(set(language) - said) == []


def test_a_translation_is_one_text_for_another_as_the_webui_reads_it(language):
    assert all(isinstance(text, str) and text.strip() for text in language.values())


def test_a_translation_uses_each_value_of_its_sentence_once(language):
    for key, text in language.items():
        numbers, count = VALUE.findall(text), key.count("{}")
        assert len(numbers) == count, key
        assert not any(numbers) or sorted(map(int, numbers)) == list(range(1, count + 1)), key


def test_what_is_between_braces_in_a_translation_is_a_value(language):
    assert [text for text in language.values() if re.search(r"[{}]", VALUE.sub("", text))] == []
