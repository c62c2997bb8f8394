"""JSON that anyone may have written is read: what it cannot be is one kind of error."""

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Raises ValueError, also for what is nested too deeply and for integers of thousands of digits."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def is_number(value: Any) -> bool:
    """Whether this is a number to reckon with; not so an integer that no float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        float(value)
    except OverflowError:
        return False
    return True
