"""What documents say of tests: each test that one links to is there under the words of the link."""

import re

import pytest
from helpers import ROOT

DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
TEST = re.compile(r"\[([^\]]+)\]\(\.\./(tests/[\w/]+\.py)\)")


@pytest.mark.once
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_that_a_document_links_to_is_there(document):
    missing = [(path, words) for words, path in TEST.findall(document.read_text(encoding="utf-8"))
               if f"def test_{words.replace(' ', '_')}(" not in (ROOT / path).read_text(encoding="utf-8")]
    assert missing == []
