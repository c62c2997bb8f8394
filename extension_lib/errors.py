"""Errors that a person can put right."""


class DarkroomError(Exception):
    """Something cannot be done. The message says what and why, in a sentence, and is shown without a traceback."""


def is_out_of_memory(error: BaseException) -> bool:
    """torch says in several ways that memory ran out."""
    text = str(error).lower()
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)


def is_expected(error: BaseException) -> bool:
    """Whether the message says enough, and a traceback would only hide it."""
    return isinstance(error, DarkroomError) or is_out_of_memory(error)
