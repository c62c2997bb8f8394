"""All HTML is made in one place, where every value is escaped; no other text with a tag is put together."""

import ast
import re

import pytest
from helpers import ROOT

from extension_lib.ui.views.html import NOTHING, html, joined

TAG = re.compile(r"</?(?!lora\b|hypernet\b)[A-Za-z][\w-]*[\s/>]|</?[A-Za-z][\w-]*$")
# app.py puts our own scripts into the page.
FILES = [path for path in sorted((ROOT / "extension_lib" / "ui").rglob("*.py")) if path.name != "app.py"]
SCRIPT = "\"'><script>alert(1)</script>"


def tags_outside_templates(tree):
    """The lines of texts with a tag that are no literal template of html()."""
    templates = {id(node.args[0]) for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args
                 and getattr(node.func, "id", "") == "html" and isinstance(node.args[0], ast.Constant)}
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and TAG.search(str(node.value)) and id(node) not in templates | said:
            yield node.lineno


@pytest.mark.once
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_text_with_a_tag_is_a_template(path):
    text = path.read_text(encoding="utf-8")
    assert list(tags_outside_templates(ast.parse(text))) == []
    assert path.name == "html.py" or not re.search(r"\bMarkup\(|__html__|html\.escape|import escape", text)


def test_what_is_put_into_a_template_is_text_unless_it_was_made_here():
    inner = html('<b title="{}">{}</b>', SCRIPT, SCRIPT)
    whole = html("<p>{}{x}</p>", joined([inner, SCRIPT]), x=SCRIPT)
    assert "<script" not in whole and whole.count("<b ") == 1 and '""' not in whole and whole.startswith("<p><b ")
    assert html("<b>{}</b>", "a\ud800") == "<b>a?</b>", "no browser could be sent it"
    assert joined([]) == NOTHING and "<script" not in NOTHING + SCRIPT
