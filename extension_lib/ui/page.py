"""The whole page: what it shows, and what happens on it."""

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.context import Context

from ..host import Host
from .events.concept_events import ConceptEvents
from .events.settings_events import SettingsEvents
from .events.train_events import TrainEvents
from .events.workspace_events import WorkspaceEvents
from .failures import show_failures
from .tabs.layout import TRAIN, Layout


class Page:
    """The tabs of one host, at work; extra adds the host's own tabs after them."""

    def __init__(self, host: Host, extra: Callable[[], Any] | None = None):
        self.layout = layout = Layout(host, extra)
        self.workspace_events = WorkspaceEvents(layout)
        self.settings_events = SettingsEvents(layout)
        self.concept_events = ConceptEvents(layout)
        self.train_events = TrainEvents(layout)
        layout.runs_tab.select(layout.runs.list_runs, layout.runs.inputs, [layout.runs.runs, layout.runs.plot],
                               queue=False)
        layout.queue_tab.select(layout.queue.show, None, layout.queue.outputs(), queue=False)
        layout.enter.click(layout.queue.show, None, layout.queue.outputs(), queue=False)
        layout.show_train.click(lambda: gr.update(selected=TRAIN), None, [layout.tabs], queue=False)
        layout.compare.wire(layout.model.workspace, layout.enter, layout.tabs,
                            [layout.train.compare, layout.compare.compare_learned])
        if Context.root_block:
            show_failures(Context.root_block)
