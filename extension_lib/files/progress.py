"""How far a tool is, and how long it will still take. A tool is a generator of this; what it returns is its result."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")
Thing = TypeVar("Thing", covariant=True)


@dataclass(frozen=True)
class Progress:
    done: int
    total: int
    seconds: float  # since it began

    @property
    def share(self) -> float:
        return self.done / max(self.total, 1)

    @property
    def left(self) -> float:
        """Seconds, if it goes on like this."""
        return self.seconds * (self.total - self.done) / max(self.done, 1)


Tool = Generator[Progress, None, T]


class SizedIterable(Sized, Iterable[Thing], Protocol[Thing]):
    """What can be counted before it is gone through."""


def counted_off(things: SizedIterable[T]) -> Iterator[tuple[T, Progress]]:
    """Each of the things, with the progress that will be made when it is done."""
    began, total = time.monotonic(), len(things)
    for number, thing in enumerate(things):
        yield thing, Progress(number + 1, total, time.monotonic() - began)


def now_and_then(tool: Tool[T], pause: float = 0.3) -> Tool[T]:
    """The tool, which tells how far it is only after so many seconds each."""
    last = 0.0
    while True:
        try:
            told = next(tool)
        except StopIteration as end:
            result: T = end.value
            return result
        if time.monotonic() - last > pause:
            last = time.monotonic()
            yield told


def finished(tool: Tool[T], show: Callable[[Progress], None] = lambda progress: None) -> T:
    """The tool's result, when it is done. show is called on the way."""
    while True:
        try:
            show(next(tool))
        except StopIteration as end:
            result: T = end.value
            return result
