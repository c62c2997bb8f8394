"""The queue as a table: what runs, what is next, what came out, and a button for each thing that can be done."""

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from ... import methods
from ...errors import DarkroomError
from ...host import Folders
from ...overnight.expected import Expected, expectations, run_of, steps_done
from ...overnight.row import CANCELLED, DONE, FAILED, HELD, INTERRUPTED, OVER, RUNNING, WAITING, Row
from ...support.disk import is_file, matching, modified_time
from ...workspaces.workspace import Workspace
from .html import NOTHING, html, joined
from .job_view import bar, duration, message
from .workspace_tiles import picture_of, thumbnail

SHOWN_OVER = 50  # of those that are over, the newest
ACTS = {  # by state: what can be done, as buttons
    WAITING: ("up", "down", "hold", "cancel", "copy"), RUNNING: ("hold", "cancel", "copy"),
    HELD: ("up", "down", "again", "cancel", "copy"), INTERRUPTED: ("again", "hold", "cancel"), DONE: ("copy",),
    FAILED: ("again", "copy"), CANCELLED: ("again", "copy")}
WORDS = {"up": "Up", "down": "Down", "hold": "Pause", "again": "Continue", "cancel": "Cancel", "copy": "Duplicate"}
BADGES = {WAITING: "waiting", RUNNING: "running", HELD: "paused", INTERRUPTED: "interrupted", DONE: "done",
          FAILED: "failed", CANCELLED: "cancelled"}


def queue_table(rows: Sequence[Row], folders: Folders) -> Markup:
    """javascript/queue.js says which button was pressed, and where a row was dropped."""
    if not rows:
        return html('<div class="darkroom-figures">The queue is empty. Press Add to queue in the Train tab.</div>')
    shown = [row for row in rows if row.state not in OVER]
    shown += [row for row in rows if row.state in OVER][:SHOWN_OVER]
    lines = joined(line(row, expected, folders) for row, expected in zip(shown, expectations(shown, folders)))
    heads = joined(html('<th scope="col">{}</th>', head) for head in HEADS)
    return html('<div class="darkroom-live darkroom-wide"><table class="darkroom-copies darkroom-queue"><thead><tr>'
                '<th></th>{}<th></th></tr></thead><tbody>{}</tbody></table></div>', heads, lines)


HEADS = ("name", "method", "steps", "takes", "ends", "state")


def line(row: Row, expected: Expected, folders: Folders) -> Markup:
    movable = html(' draggable="true"') if "up" in ACTS[row.state] else NOTHING
    return html('<tr data-id="{id}"{movable}><td>{picture}</td><th scope="row" translate="no">{name}</th>'
                "<td>{method}</td><td>{steps}</td><td>{takes}</td><td>{ends}</td><td>{state}</td><td>{acts}</td></tr>",
                id=row.id, movable=movable, picture=picture(row, folders), name=row.name, method=method_title(row),
                steps=row.steps, takes=takes(row, expected), ends=clock(expected.end), state=state(row, folders),
                acts=joined(act_button(act, row) for act in ACTS[row.state]))


def method_title(row: Row) -> str:
    known = methods.all_methods()
    return known[row.method].title if row.method in known else row.method


def takes(row: Row, expected: Expected) -> str:
    if expected.seconds is None:
        return "" if row.state in OVER else "unknown"
    return duration(expected.seconds)


def clock(at: float | None) -> str:
    """The hour, with the day where it is another than today."""
    if at is None:
        return ""
    same = time.strftime("%x", time.localtime(at)) == time.strftime("%x")
    return time.strftime("%H:%M" if same else "%Y-%m-%d %H:%M", time.localtime(at))


def state(row: Row, folders: Folders) -> Markup:
    badge = html('<span class="darkroom-badge {}">{}</span>', BADGES[row.state], BADGES[row.state])
    if row.state == RUNNING:
        done = steps_done(row, folders)
        said = " ends after this step" if row.request else f" step {done}"
        return html("{}<span>{}</span>{}", badge, said, bar(min(1.0, done / max(1, row.steps))))
    return html("{} <span>{}</span>", badge, row.reason)


def act_button(act: str, row: Row) -> Markup:
    word = "Retry" if act == "again" and row.state in OVER else WORDS[act]
    return html('<button type="button" class="darkroom-act" data-queue="{act} {id}" aria-label="{word}: {name}">{word}'
                "</button>", act=act, id=row.id, word=word, name=row.name)


def picture(row: Row, folders: Folders) -> Markup:
    """What it has drawn; before that, its first picture."""
    space = Workspace(folders.workspaces / row.workspace)
    path = picture_of(space, folders) if row.state != WAITING else None
    path = path or first_picture(row, folders)
    data = small(path, modified_time(path)) if path else ""
    return html('<img class="darkroom-thumb" src="{}" alt="" draggable="false">', data) if data else NOTHING


@lru_cache(maxsize=256)
def small(path: Path, modified: float) -> str:
    """A picture as a data URL, made once."""
    return thumbnail(path)


def first_picture(row: Row, folders: Folders) -> Path | None:
    run = run_of(row)
    folder = run.concepts[0].folder if run and run.concepts else ""
    if not folder or not folders.allow(folder):
        return None
    return next((path for path in matching(Path(folder), "*") if is_file(path) and path.suffix.lower() in SUFFIXES),
                None)


SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def question(rows: Sequence[Row]) -> Markup:
    """What is asked after a restart; nothing where nothing was interrupted."""
    names = ", ".join(row.name for row in rows if row.state == INTERRUPTED)
    if not names:
        return NOTHING
    return message(f"The program ended while {names} was trained. In the Queue tab, press Continue to go on from what "
                   "is kept, or Pause to set it aside. Until then the queue waits.")


def version(rows: Sequence[Row], folders: Folders) -> str:
    """Changes when the table must be drawn anew."""
    ends = (clock(expected.end) for expected in expectations(rows[:1], folders))
    facts = [(row.id, row.place, row.state, row.request, row.reason, row.ended) for row in rows]
    return repr((facts, *ends, [steps_done(row, folders) for row in rows if row.state == RUNNING]))


def said_of(error: DarkroomError) -> Markup:
    return message(str(error))
