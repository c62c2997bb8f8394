"""Work done ahead on threads, so that nobody waits for disks and decoders."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Done = TypeVar("Done")
THREADS = 4  # each may hold what it works on in memory; as many results wait at most


def done_ahead(work: Callable[[Given], Done], given: Iterable[Given]) -> Iterator[tuple[Given, Future[Done]]]:
    """Everything given, in its order, with what work makes of it or raises. What was not begun when someone stops is
    not done.
    """
    waiting: deque[tuple[Given, Future[Done]]] = deque()
    with ThreadPoolExecutor(THREADS, "darkroom-ahead") as pool:
        try:
            for one in given:
                waiting.append((one, pool.submit(work, one)))
                if len(waiting) > THREADS:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        finally:
            for _, future in waiting:
                future.cancel()
