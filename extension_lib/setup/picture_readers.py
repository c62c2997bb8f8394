"""Picture formats that Pillow reads only with a plugin: how they are known, and how a plugin is added."""

import importlib.util
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from PIL import Image

from . import installation

START = 32  # bytes by which a format is known


@dataclass(frozen=True)
class Reader:
    """A format, and the package that reads it."""

    title: str
    ending: str
    module: str
    package: str
    signatures: tuple[bytes, ...]
    register: str = ""  # the function to call after the import, where that alone is not enough

    def made(self, start: bytes) -> bool:
        """Whether a file with this start is of this format. In ISO's files the brand follows a length and "ftyp"."""
        return start.startswith(self.signatures) or start[4:12] in self.signatures

    def is_ready(self) -> bool:
        """Whether such pictures can be read now; a plugin that is installed is asked to join in."""
        if self.ending not in Image.registered_extensions() and importlib.util.find_spec(self.module):
            try:
                module = import_module(self.module)
            except (ImportError, OSError):  # made for another version of Pillow
                return False
            if self.register:
                getattr(module, self.register)()
        return self.ending in Image.registered_extensions()


READERS = (
    Reader("AVIF", ".avif", "pillow_avif", "pillow-avif-plugin", (b"ftypavif", b"ftypavis")),  # Pillow's own from 11.3
    Reader("JPEG XL", ".jxl", "pillow_jxl", "pillow-jxl-plugin", (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")),
    Reader("HEIC", ".heic", "pillow_heif", "pillow-heif",
           tuple(b"ftyp" + brand for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")),
           register="register_heif_opener"),
)


def reader_for(path: Path) -> Reader | None:
    """The format of a file that needs a plugin, whatever the file's name says."""
    with open(path, "rb") as file:
        start = file.read(START)
    return next((reader for reader in READERS if reader.made(start)), None)


def lacks_reader(path: Path) -> bool:
    """Whether this picture could be read with a plugin that is not there."""
    try:
        reader = reader_for(path)
    except OSError:
        return False
    return reader is not None and not reader.is_ready()


def missing_readers() -> list[Reader]:
    return [reader for reader in READERS if not reader.is_ready()]


def install_readers() -> str:
    """Adds the missing plugins, without changing any other package; returns what went wrong, or ""."""
    problem = installation.add([reader.package for reader in missing_readers()])
    return problem if missing_readers() else ""
