"""HTML is made here alone: every value that is put in is escaped, unless it is HTML that was made here."""

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

from ...settings import is_unicode

NOTHING = Markup()


def html(template: str, *values: Any, **named: Any) -> Markup:
    """The template, written out where it is called, with values as str.format puts them in; in attributes, in quotes.

    tests/ui/test_html.py looks after this: elsewhere no text with a tag is put together.
    """
    made = Markup(template).format(*values, **named)
    return made if is_unicode(made) else Markup(made.encode("utf-8", "replace").decode("utf-8"))


def joined(parts: Iterable[Any]) -> Markup:
    """The parts one after another; what is no HTML is escaped."""
    return NOTHING.join(parts)
