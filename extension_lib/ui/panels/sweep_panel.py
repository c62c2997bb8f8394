"""A part of the Train tab: settings whose values are tried in all combinations."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from ...config.run import Run
from ...data.limits import within_limits
from ...errors import DarkroomError
from ...host import Host
from ...overnight.adding import require_possible
from ...overnight.expected import Paces
from ...overnight.queue import queue_of
from ...overnight.sweep import Axis, add_sweep, checked, offered, parse_axis, run_count, runs_of
from ...overnight.worker import wake
from ...workspaces.workspace import Workspace
from ..views.job_view import duration, message
from .widgets import unsaved

ROWS = 4  # settings at once
NONE = "none"


class SweepPanel:
    def __init__(self, host: Host):
        self.host = host
        self.offered = dict(offered())  # by title; the WebUI's lists know no second word for a choice
        self.keys, self.values = [], []
        with gr.Accordion("Try several values", open=False, elem_id="darkroom_sweep"):
            for n in range(ROWS):
                with gr.Row():
                    self.keys.append(unsaved(gr.Dropdown(choices=[NONE, *self.offered], value=NONE, label="Setting",
                                                         elem_id=f"darkroom_sweep_setting{n}")))
                    self.values.append(unsaved(gr.Textbox(label="Values", max_lines=1, placeholder="0.0001, 0.0002",
                                                          elem_id=f"darkroom_sweep_values{n}")))
            with gr.Row():
                self.count = gr.Button("Count the runs", elem_id="darkroom_sweep_count")
                self.add = gr.Button("Add all to queue", elem_id="darkroom_sweep_add")
            self.answer = gr.HTML(elem_id="darkroom_sweep_answer")

    def inputs(self) -> list[Any]:
        return [*self.keys, *self.values]

    def axes(self, data: Mapping[Any, Any]) -> tuple[Axis, ...]:
        """Raises SettingError."""
        chosen = [(self.offered.get(data[key], ""), data[value]) for key, value in zip(self.keys, self.values)]
        return checked([parse_axis(key, values) for key, values in chosen if key])

    def counted(self, run: Run, data: Mapping[Any, Any]) -> str:
        """How many runs there would be, and how long they would take."""
        try:
            axes = self.axes(data)
            paces = Paces(queue_of(self.host.folders).rows(), self.host.folders)
            runs = [require_possible(within_limits(one, self.host.folders), self.host) for _, one in runs_of(run, axes)]
        except DarkroomError as error:
            return message(str(error))
        times = [None if (pace := paces.pace(one)) is None else pace * one.training.steps for one in runs]
        known = [each for each in times if each is not None]
        if len(known) < len(times):
            return message(f"{run_count(axes)} runs. How long they take is known after the first of their kind.",
                           good=True)
        return message(f"{run_count(axes)} runs, {duration(sum(known))} in all.", good=True)

    def added(self, run: Run, space: Workspace, data: Mapping[Any, Any]) -> str:
        try:
            axes = self.axes(data)
            for _, one in runs_of(run, axes):
                within_limits(one, self.host.folders)
            rows = add_sweep(run, self.host, space, axes)
        except DarkroomError as error:
            return message(str(error))
        wake(self.host)
        return message(f"Added {len(rows)} runs to the queue. Its tab shows their table and pictures when all are "
                       "done.", good=True)
