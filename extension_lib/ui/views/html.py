"""HTML is made here alone: every value that is put in is escaped, unless it is HTML that was made here."""

from collections.abc import Iterable
from typing import Any

from markupsafe import Markup

NOTHING = Markup()


def html(template: str, *values: Any, **named: Any) -> Markup:
    """The template, written out where it is called, with values as str.format puts them in; in attributes, in quotes.

    tests/ui/test_html.py looks after this: elsewhere no text with a tag is put together.
    """
    return Markup(template).format(*values, **named)


def joined(parts: Iterable[Any]) -> Markup:
    """The parts one after another; what is no HTML is escaped."""
    return NOTHING.join(parts)
