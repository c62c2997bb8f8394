"""The family of the checkpoint that a workspace was trained on: what was learned fits no other."""

from ..families import FAMILIES
from ..families.family import Family
from ..families.kind import CheckpointKind
from ..families.sd1 import SD1
from .workspace import Workspace, WorkspaceError


def trained_family(space: Workspace) -> Family | None:
    """None where nothing was trained. States of older versions do not say it: there was one."""
    newest = space.newest_state()
    name = newest.facts.get("family", SD1.name) if newest else ""
    return next((family for family in FAMILIES if family.name == name), None)


def require_same_family(space: Workspace, kind: CheckpointKind | None, title: str) -> None:
    """Raises WorkspaceError where the checkpoint of this title is of another family than what was trained on."""
    trained = trained_family(space)
    if trained and kind and trained != kind.family:
        raise WorkspaceError(f"{space.name} was trained on {trained.title}, and {title} is a {kind.family.title} "
                             "checkpoint. Choose one of its family, or create a new model.")
