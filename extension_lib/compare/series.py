"""Series: files that a prompt can use by a tag or a word, each with its copies by training step."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..export import header
from ..host import Folders
from ..support.disk import files_in, modified_time

COPY = re.compile(r"(.+)-(\d{6})$")
LAST = "last"  # the file without a step: what the run ended with


def copy_name(stem: str, step: int) -> str:
    """The name of the copy that was saved at a step."""
    return f"{stem}-{step:06d}"


def split_copy_name(stem: str) -> tuple[str, str]:
    """The name without its step, and the step as text; LAST for a name without one."""
    match = COPY.fullmatch(stem)
    return (match[1], str(int(match[2]))) if match else (stem, LAST)


def name_at_step(stem: str, step: str) -> str:
    """step: a number as text, or LAST."""
    return stem if step == LAST else copy_name(stem, int(step))


@dataclass(frozen=True)
class Kind:
    """A kind of file. tag: what its tag begins with; "" where a word in the prompt calls it."""

    folder: str  # a field of Folders
    suffixes: tuple[str, ...]
    tag: str
    method: str  # of a file that does not name its method
    picture: str  # ending of the picture on its card
    note: str  # behind its name in a list


KINDS = {
    "lora": Kind("lora", (".safetensors",), "lora", "", ".png", ""),
    "hypernetwork": Kind("hypernetworks", (".pt",), "hypernet", "hypernetwork", ".preview.png", " (hypernetwork)"),
    "embedding": Kind("embeddings", (".safetensors",), "", "textual_inversion", ".preview.png", " (embedding)"),
}
TAGGED = ("lora", "hypernetwork")


@dataclass(frozen=True)
class Series:
    """One file and its copies by step: (step, path), the oldest first, LAST behind them."""

    kind: str  # of KINDS
    name: str
    copies: tuple[tuple[str, Path], ...]

    @property
    def label(self) -> str:
        return self.name + KINDS[self.kind].note

    @property
    def steps(self) -> tuple[str, ...]:
        return tuple(step for step, _ in self.copies)

    def path(self, step: str) -> Path:
        return dict(self.copies)[step]

    def picture(self, step: str) -> Path:
        """Where the picture of a copy's card lies."""
        return self.path(step).with_suffix(KINDS[self.kind].picture)

    @property
    def modified(self) -> float:
        return max(modified_time(path) for _, path in self.copies)

    @cached_property
    def metadata(self) -> dict[str, str]:
        readable = [path for _, path in self.copies if path.suffix == ".safetensors"]
        return header.read_header(readable[-1]) if readable else {}

    @property
    def method(self) -> str:
        """The name of the method that made it; "" when the file does not say."""
        return KINDS[self.kind].method or header.method_in_header(self.metadata)

    @property
    def words(self) -> tuple[str, ...]:
        """Words that were learned with it, or that are it."""
        return (self.name,) if self.kind == "embedding" else header.words_in_header(self.metadata)

    def tag(self, step: str, weight: float) -> str:
        begin = KINDS[self.kind].tag
        return f"<{begin}:{name_at_step(self.name, step)}:{weight:g}>" if begin and weight else ""

    def prompt_for(self, prompt: str, step: str, weight: float) -> str:
        """The prompt with this copy at work; at weight 0 for the bare checkpoint, without words that it does not
        know.
        """
        if self.kind == "embedding" and weight and not has_word(prompt, self.name):
            prompt = f"{prompt.rstrip()}, {self.name}" if prompt.strip() else self.name
        for word in self.words:
            prompt = replace_word(prompt, word, self.word_at_step(word, step, weight))
        return f"{prompt.strip()} {self.tag(step, weight)}".strip()

    def word_at_step(self, word: str, step: str, weight: float) -> str:
        """What stands for a word: at a step its copy; an embedding's own weight is emphasis."""
        if not weight:
            return ""
        name = name_at_step(word, step)
        return f"({name}:{weight:g})" if self.kind == "embedding" and weight != 1 else name


def word_pattern(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(word)}(?![\w-])", re.IGNORECASE)


def has_word(prompt: str, word: str) -> bool:
    return bool(word_pattern(word).search(prompt))


def replace_word(prompt: str, word: str, by: str) -> str:
    """The prompt with a word replaced; without a replacement, with the space before it taken out too."""
    if by:
        return word_pattern(word).sub(lambda _: by, prompt)
    return re.sub(r"\s+", " ", word_pattern(word).sub("", prompt)).strip()


def find_series(folders: Folders, kinds: Iterable[str] = KINDS) -> tuple[Series, ...]:
    """All that lies in the folders, by kind and name."""
    return tuple(series for kind in kinds for series in series_of_kind(kind, getattr(folders, KINDS[kind].folder)))


def series_of_kind(kind: str, folder: Path) -> list[Series]:
    by_name: dict[str, dict[str, Path]] = {}
    for path in files_in(folder):
        if path.suffix in KINDS[kind].suffixes:
            name, step = split_copy_name(path.stem)
            by_name.setdefault(name, {})[step] = path
    return [Series(kind, name, tuple(sorted(copies.items(), key=step_order))) for name, copies in by_name.items()]


def step_order(copy: tuple[str, Path]) -> float:
    return float("inf") if copy[0] == LAST else int(copy[0])


def newest_series(series: Iterable[Series]) -> Series | None:
    """The one that was written last."""
    return max(series, key=lambda one: one.modified, default=None)
