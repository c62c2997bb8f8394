"""Digests: short names of contents, the same for the same content alone."""

import hashlib
from pathlib import Path


def digest_of_file(path: Path) -> str:
    """Of the file's bytes. Raises OSError."""
    digested = hashlib.blake2b(digest_size=8)
    with open(path, "rb") as file:
        while part := file.read(2**20):
            digested.update(part)
    return digested.hexdigest()


def digest_of(*facts: object) -> str:
    """Of texts, numbers, and tuples and lists of them: 32 letters."""
    return hashlib.blake2b(repr(facts).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
