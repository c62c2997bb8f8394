"""A sweep that is over: its runs as a table, and what each draws with the same prompts and seeds."""

from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from ...overnight.outcome import Outcome, Result
from ...overnight.row import DONE
from ...overnight.sweep import setting
from ...settings import SettingError
from ...support.disk import modified_time
from .html import NOTHING, html, joined
from .job_view import BEST, duration, message
from .workspace_tiles import thumbnail


def outcome_html(outcome: Outcome) -> Markup:
    """javascript/queue.js opens the workspace of a picture that is pressed, and says which run is chosen."""
    keys = list(dict.fromkeys(key for result in outcome.results for key in result.changes))
    heads = joined(html('<th scope="col">{}</th>', head) for head in (*map(label, keys), *HEADS))
    pictures = joined(html('<th scope="col"><span translate="no">{}</span> {}</th>', prompt, seed)
                      for prompt in outcome.prompts for seed in outcome.seeds)
    lines = joined(line(result, keys, outcome) for result in outcome.results)
    note = message(f"Pictures are missing: {outcome.problem}") if outcome.problem else NOTHING
    return html('{}<div class="darkroom-live darkroom-wide"><table class="darkroom-copies darkroom-queue"><thead><tr>'
                '<th scope="col">name</th>{}{}<th></th></tr></thead><tbody>{}</tbody></table></div>',
                note, heads, pictures, lines)


HEADS = ("loss, held out", "at step", "time", "size")


def label(key: str) -> str:
    try:
        return setting(key).label
    except SettingError:  # of an older version
        return key


def line(result: Result, keys: list[str], outcome: Outcome) -> Markup:
    best = result.id == outcome.best
    cells = joined(html('<td translate="no">{}</td>', result.changes.get(key, "")) for key in keys)
    return html('<tr class="{}"><th scope="row"><span translate="no">{}</span>{}</th>{}{}{}<td>{}</td></tr>',
                "best" if best else "", result.name, BEST if best else NOTHING, cells,
                joined(html("<td>{}</td>", text) for text in numbers(result)),
                joined(html("<td>{}</td>", cell(result, name, outcome)) for name in padded(result, outcome)),
                choose_button(result))


def numbers(result: Result) -> tuple[str, ...]:
    loss = "" if result.loss is None or not result.held_out else f"{result.loss:.4f}"
    if result.state != DONE:
        return (result.reason or result.state, "", "", "")
    return (loss, str(result.step or ""), duration(result.seconds), f"{result.size / 1e6:.1f} MB")


def padded(result: Result, outcome: Outcome) -> list[str]:
    """A name of a picture, or "", for each column."""
    wanted = len(outcome.prompts) * len(outcome.seeds)
    return [*result.pictures, *[""] * wanted][:wanted]


def cell(result: Result, name: str, outcome: Outcome) -> Markup:
    path = outcome.folder / Path(name).name
    data = small(path, modified_time(path)) if name else ""
    if not data:
        return NOTHING
    return html('<button type="button" class="darkroom-act" data-open="{}" aria-label="Open: {}"><img src="{}" alt="">'
                "</button>", result.workspace, result.name, data)


@lru_cache(maxsize=512)
def small(path: Path, modified: float) -> str:
    return thumbnail(path)


def choose_button(result: Result) -> Markup:
    if result.state != DONE:
        return NOTHING
    return html('<button type="button" class="darkroom-act" data-queue="use {}" aria-label="Use this one: {}">'
                "Use this one</button>", result.id, result.name)
