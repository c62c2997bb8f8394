"""Settings that have an effect on checkpoints of some families alone."""

from collections.abc import Callable

from ..families.family import Family
from .run import Run

ONLY_WHERE: dict[tuple[str, str], Callable[[Family], bool]] = {
    ("data", "clip_skip"): lambda family: family.clip_skip,
    ("method", "text_rate_2"): lambda family: len(family.text_encoders) > 1,
}


def has_effect(section: str, name: str, family: Family | None) -> bool:
    """True also where the family is not known."""
    return family is None or ONLY_WHERE.get((section, name), lambda family: True)(family)


def with_effects(run: Run, start: Run, family: Family | None) -> tuple[Run, list[str]]:
    """The run with start's values where its own have no effect, and a line for each of these."""
    lines = []
    for section, name in ONLY_WHERE:
        given, usual = (getattr(getattr(one, section), name, None) for one in (run, start))
        if family and given != usual and not has_effect(section, name, family):
            lines.append(f"{name} = {given}: has no effect on {family.title}.")
            run = run.with_values({section: {name: usual}})
    return run, lines
