"""The Queue tab: runs that are trained one after another, also after a restart."""

from dataclasses import replace
from typing import Any

import gradio as gr

from ...errors import DarkroomError
from ...host import Host
from ...overnight.adding import duplicate
from ...overnight.outcome import read_outcome, sweep_names, use
from ...overnight.queue import Queue, queue_of
from ...overnight.row import PENDING, Row
from ...overnight.rules import Rules, read_rules, write_rules
from ...overnight.worker import wake
from ...settings import SettingError, build, options
from ...support.disk import checked_file_name
from ..panels.form import build_component
from ..panels.widgets import NAMES, unsaved
from ..views.job_view import message
from ..views.queue_view import question, queue_table, said_of, version
from ..views.sweep_view import outcome_html

STOP, GO = "Pause the queue", "Run the queue"


class QueueTab:
    """asks: what is shown above all tabs after a restart."""

    def __init__(self, host: Host, asks: Any):
        self.host, self.asks = host, asks
        with gr.Row():
            self.stop = gr.Button(STOP, elem_id="darkroom_queue_stop")
            self.clear = gr.Button("Clear what is over", elem_id="darkroom_queue_clear")
        self.answer = gr.HTML(elem_id="darkroom_queue_answer")
        self.table = gr.HTML(elem_id="darkroom_queue_table")
        self.sweep = unsaved(gr.Dropdown(choices=[], label="Sweep", visible=False, elem_id="darkroom_queue_sweep",
                                         elem_classes=[NAMES], info="What came out of several values of a setting."))
        self.outcome = gr.HTML(elem_id="darkroom_queue_outcome")
        with gr.Accordion("When the queue trains", open=False):
            self.rules = {option.name: build_component(replace(option, default=getattr(self.read_rules(), option.name)),
                                                       f"darkroom_queue_{option.name}") for option in options(Rules)}
            self.keep = gr.Button("Use these rules", elem_id="darkroom_queue_keep")
        # javascript/queue.js writes here what was pressed or dropped, and presses the first; the second follows.
        self.what = unsaved(gr.Textbox(label="What", elem_id="darkroom_queue_what", elem_classes=["darkroom-hidden"]))
        self.do = gr.Button("do", elem_id="darkroom_queue_do", elem_classes=["darkroom-hidden"])
        self.poll = gr.Button("poll", elem_id="darkroom_queue_poll", elem_classes=["darkroom-hidden"])
        self.seen = gr.State("")
        self.wire()

    def wire(self) -> None:
        shown = self.outputs()
        self.do.click(self.act, [self.what, self.sweep], [self.answer, *shown], queue=False)
        self.sweep.input(self.show_outcome, [self.sweep], [self.outcome], queue=False)
        self.poll.click(self.follow, [self.seen], shown, queue=False, show_progress="hidden")
        self.stop.click(self.stop_or_go, None, [self.answer, *shown], queue=False)
        self.clear.click(self.clear_over, None, [self.answer, *shown], queue=False)
        self.keep.click(self.keep_rules, list(self.rules.values()), [self.answer], queue=False)

    def outputs(self) -> list[Any]:
        """What shows the queue."""
        return [self.table, self.seen, self.stop, self.asks, self.sweep, self.outcome]

    @property
    def queue(self) -> Queue:
        return queue_of(self.host.folders)

    def read_rules(self) -> Rules:
        try:
            return read_rules(self.queue)
        except DarkroomError:
            return Rules()

    def show(self) -> dict[Any, Any]:
        """The queue as it is now."""
        return self.follow("")

    def follow(self, seen: str) -> dict[Any, Any]:
        """Updates where something has changed since the page's version."""
        try:
            rows, stopped = self.queue.rows(), self.queue.fact("stopped")
        except DarkroomError as error:
            return {self.table: said_of(error), self.seen: str(error)}
        sweeps = sweep_names(self.host.folders)
        now = version(rows, self.host.folders) + f"{stopped} {sweeps}"
        if now == seen:
            return {self.seen: now}
        return {self.table: queue_table(rows, self.host.folders), self.seen: now, self.asks: question(rows),
                self.stop: gr.update(value=GO if stopped else STOP),
                **(self.newest_sweep(sweeps) if f"{sweeps}" not in seen else {})}

    def newest_sweep(self, names: list[str]) -> dict[Any, Any]:
        newest = names[0] if names else None
        return {self.sweep: gr.update(choices=names, value=newest, visible=bool(names)),
                self.outcome: self.show_outcome(newest)}

    def show_outcome(self, name: str | None) -> str:
        outcome = read_outcome(checked_file_name(name), self.host.folders) if name else None
        return outcome_html(outcome) if outcome else ""

    def use(self, sweep: str | None, id: int) -> str:
        """Raises DarkroomError."""
        outcome = read_outcome(checked_file_name(sweep), self.host.folders)
        if outcome is None:
            raise SettingError("Choose a sweep first.")
        names = ", ".join(path.name for path in use(outcome, id, self.host))
        return message(f"{outcome.workspace} has this one as {names} now.", good=True)

    def act(self, what: str, sweep: str | None = None) -> dict[Any, Any]:
        """what: a verb, the number of a run, and for "before" that of another. sweep: the one that is shown."""
        try:
            verb, *numbers = what.split()
            said = self.use(sweep, *map(int, numbers)) if verb == "use" else self.done(verb, *map(int, numbers))
        except DarkroomError as error:
            return {self.answer: said_of(error), **self.show()}
        wake(self.host)
        return {self.answer: said, **self.show()}

    def done(self, verb: str, id: int, before: int | None = None) -> str:
        """Raises DarkroomError."""
        if verb in ("up", "down"):
            shift(self.queue, id, up=verb == "up")
        elif verb == "before":
            self.queue.move(id, before)
        elif verb == "end":
            self.queue.move(id, None)
        elif verb == "copy":
            row = duplicate(self.queue.row(id), self.host)
            return message(f"Added {row.name}.", good=True)
        elif verb in ("hold", "again", "cancel"):
            getattr(self.queue, verb)(id)
        return ""

    def stop_or_go(self) -> dict[Any, Any]:
        """Between two runs; the one that runs goes on to its end."""
        try:
            stopped = not self.queue.fact("stopped")
            self.queue.note(stopped=stopped)
        except DarkroomError as error:
            return {self.answer: said_of(error)}
        wake(self.host)
        said = "No run begins until you press Run the queue. One that is running goes on." if stopped else ""
        return {self.answer: message(said, good=True), **self.show()}

    def clear_over(self) -> dict[Any, Any]:
        try:
            self.queue.forget_over()
        except DarkroomError as error:
            return {self.answer: said_of(error)}
        return {self.answer: "", **self.show()}

    def keep_rules(self, *values: Any) -> str:
        try:
            write_rules(self.queue, build(Rules, dict(zip(self.rules, values)), "queue"))
        except DarkroomError as error:
            return said_of(error)
        wake(self.host)
        return message("The queue follows these rules now.", good=True)


def shift(queue: Queue, id: int, up: bool) -> None:
    """One place forward or back among those to come. Raises QueueError."""
    rows: list[Row] = sorted((row for row in queue.rows() if row.state in PENDING), key=lambda row: row.place)
    ids = [row.id for row in rows]
    if id not in ids:
        return
    at = ids.index(id)
    if up and at > 0:
        queue.move(id, ids[at - 1])
    elif not up and at + 1 < len(ids):
        queue.move(id, ids[at + 2] if at + 2 < len(ids) else None)
