"""Files are written whole or not at all; folders may change while they are listed."""

import errno
import glob
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DarkroomError
from ..settings import is_unicode

REASONS = {**dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "the disk is full"),
           **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "permission is denied"),
           errno.ENAMETOOLONG: "its name is too long"}
LONGEST, LONGEST_BYTES = 120, 180  # with "-000500", its suffix and ".12345678.part" a name has at most 255 bytes
ABANDONED = 3600  # seconds since a temporary file was written to last
FORBIDDEN = '<>:"/\\|?*'
RESERVED = {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10))}


class SaveError(DarkroomError, OSError):
    """A file could not be written; the message says which, why, and that what was there is untouched."""


class NameProblem(DarkroomError, ValueError):
    """A name that cannot be a file's name on every system."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary path to write to; on leaving, that file replaces path in one move.

    Raises SaveError when the disk is full or path is held open by another program. path is then as it was.
    """
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")  # two may write the same file at once
    try:
        with save_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            delete_abandoned_parts(path.parent, f"{glob.escape(path.name)}.*.part")
            yield part
            part.replace(path)
    finally:
        with suppress(OSError):  # the first error says more
            part.unlink(missing_ok=True)


def require_writable_folder(folder: Path) -> None:
    """Raises SaveError for a folder that cannot be written into, or, where it is missing, cannot be made."""
    part = existing(folder) / f"darkroom.{uuid.uuid4().hex[:8]}.part"
    try:
        part.write_bytes(b"")
        part.unlink()
    except OSError as error:
        raise SaveError(f"The folder {folder} cannot be written to: {reason_of(error)}. Change who may write to it, "
                        "or use another.") from error


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


@contextmanager
def save_errors(path: Path) -> Iterator[None]:
    """Within, an OSError becomes a SaveError: it says what could not be written and why."""
    try:
        yield
    except OSError as error:
        raise SaveError(f"Could not write {path}: {reason_of(error)}. What was there before is untouched.") from error


def reason_of(error: OSError) -> str:
    return REASONS.get(error.errno or 0, str(error.strerror or error))


def delete_abandoned_parts(folder: Path, pattern: str) -> None:
    """Deletes what a program that was killed while writing has left of such files; what cannot be deleted stays."""
    for part in matching(folder, pattern):
        with suppress(OSError):  # another writer may have renamed it meanwhile
            if time.time() - part.stat().st_mtime > ABANDONED:
                part.unlink()


def matching(folder: Path, pattern: str) -> list[Path]:
    """What in the folder matches the pattern, sorted; nothing when the folder is missing or vanishes meanwhile."""
    try:
        return sorted(folder.glob(pattern))
    except FileNotFoundError:
        return []


def files_in(folder: Path) -> list[Path]:
    """Every file in the folder and its subfolders, sorted, except what vanishes meanwhile; none in a missing folder."""
    return sorted(Path(parent, name) for parent, _, names in os.walk(folder) for name in names)


def modified_time(path: Path) -> float:
    """When a file or folder was changed last; 0 for one that has vanished."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def read_if_there(path: Path) -> bytes | None:
    """The file's content; None when it does not exist."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}|%(\w+)%")  # $HOME, ${HOME} and %USERPROFILE%


def path_from_text(text: str) -> Path:
    """The path that a person wrote, "~" expanded where it stands for a known user, and variables where they are set.

    A name that really has such letters wins.
    """
    if VARIABLE.search(text) and not exists(Path(text)):
        text = VARIABLE.sub(lambda match: os.environ.get(match[match.lastindex or 0], match[0]), text)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def exists(path: Path) -> bool:
    """Whether there is something. False for a name that is too long, for which Path.exists raises."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Whether this is a regular file: no folder, and no device or pipe, which may never end."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_bounded(path: Path, most: int = 64 * 2**20) -> bytes:
    """What a regular file holds. Raises OSError for another kind of file, and for one with more bytes."""
    if not is_file(path):
        raise FileNotFoundError(errno.ENOENT, "it is no regular file", str(path))
    with open(path, "rb") as file:
        held = file.read(most + 1)
    if len(held) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most // 2**20} MB", str(path))
    return held


def is_inside(path: Path, folder: Path) -> bool:
    """Whether the path, links followed, is the folder or within it."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):  # the last: links in a circle
        return False


def is_folder(path: Path) -> bool:
    """Whether this is a folder. False for a name that is too long, for which Path.is_dir raises."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def copy_file(source: Path, target: Path) -> None:
    """Raises SaveError."""
    with replacing(target) as part:
        shutil.copyfile(source, part)


def write_bytes(path: Path, data: bytes) -> None:
    with replacing(path) as part, open(part, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def checked_file_name(name: str | None, what: str = "name") -> str:
    """The name, if it can name a file on Windows, macOS and Linux; raises NameProblem, also where none was typed."""
    name = (name or "").strip()
    if not name:
        raise NameProblem(f"The {what} is empty. Type one, such as 'ghost'.")
    bad = sorted({c for c in name if c in FORBIDDEN or ord(c) < 32 or not is_unicode(c)})
    if bad or ".." in name or name[0] == "." or name[-1] in ". ":
        shown = " ".join(c if c in FORBIDDEN else ascii(c)[1:-1] for c in bad) or "a dot at its start or end, or '..'"
        raise NameProblem(f"The {what} {name!r} cannot be a file's name: it has {shown}. Use letters, digits, - and _.")
    if name.split(".")[0].lower() in RESERVED:
        raise NameProblem(f"The {what} {name!r} cannot be a file's name on Windows. Choose another.")
    if len(name) > LONGEST or len(name.encode("utf-8", "surrogatepass")) > LONGEST_BYTES:
        raise NameProblem(f"The {what} {name[:20]}... is too long to be a file's name. Use at most {LONGEST} letters "
                          f"and {LONGEST_BYTES} bytes; a Chinese letter has three.")
    return name
