"""A tile for each workspace: its picture, method, base, steps and how its last run ended."""

from html import escape
from pathlib import Path
from typing import Any

from ...config.purposes import PURPOSES
from ...data.pictures import PictureError, load_picture
from ...errors import DarkroomError
from ...runs import job as jobs
from ...support.disk import matching
from ...workspaces.workspace import Log, Workspace
from .data_url import data_url

SIDE = 224  # pixels of a tile's picture: sharp on a dense screen, and a few kilobytes
BESIDE_FILE = (".png", ".preview.png")  # the picture of a file's own card


def tiles(spaces: list[Workspace], chosen: str | None) -> str:
    """The HTML of all tiles; javascript/workspaces.js chooses the workspace whose tile is pressed."""
    if not spaces:
        return ""
    return ('<div class="darkroom-tiles" role="group" aria-label="Your models">'
            + "".join(tile(space, space.name == chosen) for space in spaces) + "</div>")


def tile(space: Workspace, chosen: bool) -> str:
    lines = "".join(f"<span>{escape(line)}</span>" for line in tile_lines(space))
    name = escape(space.name)
    return (f'<button type="button" class="darkroom-tile" data-name="{name}" aria-pressed="{str(chosen).lower()}">'
            f'{picture_html(space)}<b translate="no">{name}</b>{lines}</button>')


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
    if running and running.workspace.folder == space.folder:
        return "Training now"
    logs = space.logs()
    ended = last_event(logs[-1], "ended") if logs else None
    if ended:
        return f"Failed: {ended['why']}" if ended.get("failed") else str(ended["why"])
    return "Interrupted" if logs else "Not trained yet"


def picture_html(space: Workspace) -> str:
    path = picture_of(space)
    data = thumbnail(path) if path else ""
    if data:
        return f'<img src="{data}" alt="">'
    return f'<span class="darkroom-tile-blank" aria-hidden="true">{escape(space.name[:1].upper())}</span>'


def picture_of(space: Workspace) -> Path | None:
    """The newest preview; without one, the picture of the file that was saved last."""
    for log in reversed(space.logs()):
        previews = matching(log.folder / "previews", "*.png")
        if previews:
            return previews[-1]
        saved = last_event(log, "saved")
        beside = [Path(str(saved["path"])).with_suffix(suffix) for suffix in BESIDE_FILE] if saved else []
        if found := next((path for path in beside if path.exists()), None):
            return found
    return None


def last_event(log: Log, what: str) -> dict[str, Any] | None:
    """The last event of this kind."""
    return next((line for line in reversed(log.read_last_lines()) if line["what"] == what), None)


def thumbnail(path: Path) -> str:
    """The picture as a data URL; "" when it cannot be read."""
    try:
        return data_url(load_picture(path, SIDE), SIDE)
    except PictureError:
        return ""
