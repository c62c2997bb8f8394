"""The guard: what fails within it is logged and ends a part of the work, not all of it."""

import logging
from dataclasses import dataclass
from types import TracebackType

from ..errors import is_expected

log = logging.getLogger("darkroom")


@dataclass
class Guard:
    """In `with Guard("Previews of step 4") as guard:` an exception ends only the block; guard.error then holds it.

    It is logged: an error that a person can put right as its message, anything else with its traceback. The caller
    turns it into a warning or into the end of the run. What is no Exception, such as Ctrl-C, passes through.
    """

    what: str  # for the log
    error: Exception | None = None

    def __enter__(self) -> "Guard":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        self.error = error
        log.warning("%s failed: %s", self.what, self.reason, exc_info=None if is_expected(error) else error)
        return True

    @property
    def reason(self) -> str:
        """The error's message; its class where it has none."""
        return str(self.error) or type(self.error).__name__
