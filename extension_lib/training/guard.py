"""What may fail in a step, a preview or a save without everything being lost that was learned before."""

FAILURES = (RuntimeError, MemoryError, OSError, ValueError,  # the host's, torch's, the disk's, a picture's
            ArithmeticError, AssertionError, AttributeError, LookupError, TypeError)  # of an extension that stands in between
