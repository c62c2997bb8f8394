"""The folders that a page may name, where the owner of the machine has limited them."""

from ..config.run import FOLDERS, Run
from ..host import Folders
from .folder import FolderError


def within_limits(run: Run, folders: Folders) -> Run:
    """The run. Raises FolderError where it names a folder that this page may not read."""
    for concept in run.concepts:
        for name in FOLDERS:
            require_allowed(getattr(concept, name), folders)
    return run


def require_allowed(text: str, folders: Folders) -> None:
    if text and not folders.allow(text):
        # The text is not repeated: what a variable in it stands for is nobody's business.
        raise FolderError(f"This page may not read the folder or file that was named. {allowed_folders(folders)}")


def allowed_folders(folders: Folders) -> str:
    if not folders.named:
        return "Drop your pictures on the page instead; they are copied into the workspace."
    return f"Use a folder within {' or '.join(map(str, folders.named))}, or drop your pictures on the page."


def are_hidden(folders: Folders) -> bool:
    """Whether the page has no use for fields in which folders are named."""
    return folders.named == ()

