"""The same tests many times in a row, while every core is busy with something else.

    python tests/stress.py 30 -m "timing and not browser"
    python tests/stress.py 10 --apart tests/ui/test_page_standalone.py

With --apart each repetition is a process of its own: for tests of one file that share a server and what they left on
it.
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from os import cpu_count

import pytest

# An endless loop, which ends with the process that started it.
BUSY = [sys.executable, "-c", "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"]


class Repeat:
    """A pytest plugin: runs every test this many times, and counts the failures of each."""

    def __init__(self, times: int):
        self.times = times
        self.failures: Counter[str] = Counter()

    @pytest.fixture
    def repetition(self, request):
        return request.param

    def pytest_generate_tests(self, metafunc):
        metafunc.fixturenames.append("repetition")
        metafunc.parametrize("repetition", range(self.times), indirect=True)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failures[report.nodeid.partition("[")[0]] += 1


@contextmanager
def busy_cores() -> Iterator[None]:
    """An endless loop on every core."""
    loops = [subprocess.Popen(BUSY) for _ in range(cpu_count() or 1)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def repeat_in_one_process(times: int, arguments: list[str]) -> bool:
    """True if nothing failed."""
    repeat = Repeat(times)
    status = pytest.main(["-q", *arguments], plugins=[repeat])
    for test, count in repeat.failures.most_common():
        print(f"{count} of {times} times: {test}")
    return status == 0


def repeat_apart(times: int, arguments: list[str]) -> bool:
    """True if nothing failed."""
    failed = 0
    for n in range(times):
        print(f"{n + 1} of {times}:", flush=True)
        failed += subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments]).returncode != 0
    print(f"{failed} of {times} repetitions failed.")
    return not failed


def main(times: str, *arguments: str) -> int:
    selection = [argument for argument in arguments if argument != "--apart"]
    repeat = repeat_apart if len(selection) < len(arguments) else repeat_in_one_process
    with busy_cores():
        return 0 if repeat(int(times), selection) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
