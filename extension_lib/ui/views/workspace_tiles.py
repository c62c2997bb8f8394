"""A tile for each workspace: its picture, method, base, steps and how its last run ended."""

from pathlib import Path
from typing import Any

from markupsafe import Markup

from ...config.purposes import PURPOSES
from ...data.pictures import PictureError, load_picture
from ...errors import DarkroomError
from ...host import Folders
from ...runs import job as jobs
from ...support.disk import is_file, is_inside, matching
from ...workspaces.last_run import last_event
from ...workspaces.last_run import last_run as how_last_run_ended
from ...workspaces.workspace import Workspace
from .data_url import data_url
from .html import NOTHING, html, joined

SIDE = 224  # pixels of a tile's picture: sharp on a dense screen, and a few kilobytes
BESIDE_FILE = (".png", ".preview.png")  # the picture of a file's own card


def tiles(spaces: list[Workspace], chosen: str | None, folders: Folders) -> Markup:
    """The HTML of all tiles; javascript/workspaces.js chooses the workspace whose tile is pressed."""
    if not spaces:
        return NOTHING
    return html('<div class="darkroom-tiles" role="group" aria-label="Your models">{}</div>',
                joined(tile(space, space.name == chosen, folders) for space in spaces))


def tile(space: Workspace, chosen: bool, folders: Folders) -> Markup:
    return html('<button type="button" class="darkroom-tile" data-name="{name}" aria-pressed="{pressed}">'
                '{picture}<b translate="no">{name}</b>{lines}</button>', name=space.name, pressed=str(chosen).lower(),
                picture=picture_html(space, folders),
                lines=joined(html("<span>{}</span>", line) for line in tile_lines(space)))


def tile_lines(space: Workspace) -> list[str]:
    try:
        run = space.read_run()
        purpose = PURPOSES[space.purpose].title if space.purpose in PURPOSES else ""
        kind = " · ".join(part for part in (run.method.title, purpose) if part)
        return [kind, run.base.checkpoint, f"{space.lifetime} steps", last_run(space)]
    except DarkroomError as error:
        return [str(error)]


def last_run(space: Workspace) -> str:
    """How the last run ended, or that one is running now."""
    running = jobs.running_job()
    return "Training now" if running and running.workspace.folder == space.folder else how_last_run_ended(space)


def picture_html(space: Workspace, folders: Folders) -> Markup:
    path = picture_of(space, folders)
    data = thumbnail(path) if path else ""
    if data:
        return html('<img src="{}" alt="">', data)
    return html('<span class="darkroom-tile-blank" aria-hidden="true">{}</span>', space.name[:1].upper())


def picture_of(space: Workspace, folders: Folders) -> Path | None:
    """The newest preview; without one, the picture of the file that was saved last, if it is in the host's folders:
    a workspace may come from someone else.
    """
    for log in reversed(space.logs()):
        previews = matching(log.folder / "previews", "*.png")
        if previews and is_inside(previews[-1], space.folder) and is_file(previews[-1]):
            return previews[-1]
        saved = last_event(log, "saved")
        if found := next((path for path in pictures_beside(saved) if is_file(path) and folders.hold(path)), None):
            return found
    return None


def pictures_beside(saved: dict[str, Any] | None) -> list[Path]:
    """Where the pictures of a saved file's card may be."""
    path = Path(str(saved.get("path", ""))) if saved else Path()
    return [path.with_name(path.stem + suffix) for suffix in BESIDE_FILE] if path.name else []


def thumbnail(path: Path) -> str:
    """The picture as a data URL; "" when it cannot be read."""
    try:
        return data_url(load_picture(path, SIDE), SIDE)
    except PictureError:
        return ""
