"""Axes for the WebUI's X/Y/Z plot: file, method, training step, weight; each rewrites the prompt's tag."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .. import methods
from ..errors import DarkroomError
from .series import KINDS, LAST, TAGGED, Series, newest_series, replace_word, split_copy_name
from .tags import Tag, find_tags

KIND_OF = {KINDS[kind].tag: kind for kind in TAGGED}


class NoFile(DarkroomError, RuntimeError):
    """There is no file of that name, method or step; the message says which."""


@dataclass(frozen=True)
class FileChoice:
    """One file as a tag names it. step: a number as text, or LAST."""

    series: Series
    step: str = LAST
    weight: float = 1.0
    chosen: str = ""  # the axis that chose the file, if one did

    @property
    def tag(self) -> str:
        """Empty at weight 0: the bare checkpoint."""
        return self.series.tag(self.step, self.weight)


def first_tag(prompt: str) -> tuple[str, Tag] | None:
    """The first tag of a file, as it is typed and as it is understood."""
    return next((found for found in find_tags(prompt) if found[1].kind in KIND_OF), None)


def parse_choice(prompt: str, library: Sequence[Series]) -> FileChoice | None:
    """The file of the prompt's first tag; None without a tag. A file that does not exist is a series without copies."""
    found = first_tag(prompt)
    if found is None:
        return None
    _, tag = found
    kind, (name, step) = KIND_OF[tag.kind], split_copy_name(tag.name)
    series = next((s for s in library if (s.kind, s.name) == (kind, name)), Series(kind, name, ()))
    return FileChoice(series, step, tag.te)


def without_first_tag(prompt: str) -> str:
    found = first_tag(prompt)
    return re.sub(rf"\s*{re.escape(found[0])}", "", prompt, count=1) if found else prompt


def change_prompt(prompt: str, before: FileChoice | None, library: Sequence[Series],
                  change: Callable[[FileChoice], FileChoice]) -> tuple[str, FileChoice]:
    """The prompt with its tag changed, and the new choice.

    before: what another axis has set; without it the prompt's own tag is changed, or the newest file is used.
    Raises NoFile.
    """
    own = parse_choice(prompt, library)
    start = before or own
    if start is None:
        last = newest_series(library)
        if last is None:
            raise NoFile("There is no LoRA yet. Train one, or put one into the WebUI's folder.")
        start = FileChoice(last)
    pick = change(start)
    if before is None and own and own.tag not in prompt:  # as typed it says the same in another way
        prompt = without_first_tag(prompt)
    return rewrite_prompt(prompt, before or own, pick), pick


def rewrite_prompt(prompt: str, old: FileChoice | None, new: FileChoice) -> str:
    """The prompt with the old pick's tag and words taken back and the new one's put in their places."""
    if old is None or not old.weight:
        return new.series.prompt_for(prompt, new.step, new.weight)
    for word in old.series.words:
        prompt = replace_word(prompt, old.series.word_at_step(word, old.step, old.weight), word)
    before, tag, after = prompt.partition(old.tag)
    if not tag:
        return new.series.prompt_for(prompt, new.step, new.weight)
    for word in new.series.words:
        spoken = new.series.word_at_step(word, new.step, new.weight)
        before, after = replace_word(before, word, spoken), replace_word(after, word, spoken)
    return " ".join(part.strip() for part in (before, new.tag, after) if part.strip())


def to_file(library: Sequence[Series], name: str) -> Callable[[FileChoice], FileChoice]:
    series = find_series_by_label(library, name)
    return lambda pick: choose_series("file", pick, series)


def to_method(library: Sequence[Series], title: str) -> Callable[[FileChoice], FileChoice]:
    """The newest file of a method."""
    series = newest_series(s for s in library if title_of(s) == title)
    if series is None:
        raise NoFile(f"There is no file of the method {title}. There are files of: "
                     f"{', '.join(method_titles(library)) or 'none'}.")
    return lambda pick: choose_series("method", pick, series)


def to_step(library: Sequence[Series], step: str) -> Callable[[FileChoice], FileChoice]:
    if step not in all_steps(library):
        raise NoFile(f"There is no copy of training step {step}. There are: {', '.join(all_steps(library))}.")
    return lambda pick: replace(pick, step=step)


def to_weight(library: Sequence[Series], weight: float) -> Callable[[FileChoice], FileChoice]:
    return lambda pick: replace(pick, weight=weight)


def choose_series(axis: str, pick: FileChoice, series: Series) -> FileChoice:
    if pick.chosen not in ("", axis):
        raise NoFile("The axes [Darkroom] file and [Darkroom] method both choose the file. Use one of them.")
    return replace(pick, series=series, chosen=axis)


def find_series_by_label(library: Sequence[Series], name: str) -> Series:
    for series in library:
        if series.label == name:
            return series
    raise NoFile(f"There is no file {name}. Choose one from the axis' list.")


def series_labels(library: Sequence[Series]) -> list[str]:
    """Files without their copies by step."""
    return [series.label for series in library]


def all_steps(library: Sequence[Series]) -> list[str]:
    """All steps of which there are copies, and LAST."""
    return [*(str(n) for n in sorted({int(step) for s in library for step in s.steps if step != LAST})), LAST]


def method_titles(library: Sequence[Series]) -> list[str]:
    """The methods of which there are files, in the order of the page."""
    order = [cls.title for cls in methods.all_methods().values()]
    titles = {title_of(series) for series in library} - {""}
    return sorted(titles, key=lambda title: (order.index(title) if title in order else len(order), title))


def title_of(series: Series) -> str:
    found: dict[str, Any] = methods.all_methods()
    return found[series.method].title if series.method in found else series.method
