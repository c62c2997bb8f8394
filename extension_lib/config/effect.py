"""Settings that have an effect on checkpoints of some families alone."""

from collections.abc import Callable

from ..families.family import Family

ONLY_WHERE: dict[tuple[str, str], Callable[[Family], bool]] = {
    ("data", "clip_skip"): lambda family: family.clip_skip,
    ("method", "text_rate_2"): lambda family: len(family.text_encoders) > 1,
}


def has_effect(section: str, name: str, family: Family | None) -> bool:
    """True also where the family is not known."""
    return family is None or ONLY_WHERE.get((section, name), lambda family: True)(family)
