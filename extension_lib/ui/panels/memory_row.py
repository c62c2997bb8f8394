"""How much memory the run on the page takes, and a button that sets what makes it fit."""

from typing import Any

import gradio as gr

from ...config.run import Run
from ...errors import DarkroomError
from ...host import Host
from ...training.guard import Guard
from ..views.job_view import message


class MemoryRow:
    def __init__(self) -> None:
        self.plan = gr.Button("Check memory", size="sm", elem_id="darkroom_plan_memory")
        self.answer = gr.HTML(elem_id="darkroom_memory")
        self.fit = gr.Button("Make it fit", visible=False, size="sm", elem_id="darkroom_make_it_fit")
        self.changes = gr.State([])  # the values that it sets, by section

    def outputs(self) -> list[Any]:
        return [self.answer, self.fit, self.changes]

    def said(self, text: str, good: bool = False) -> dict[Any, Any]:
        """Updates that show a sentence and nothing else."""
        return {self.answer: message(text, good=good), self.fit: gr.update(visible=False), self.changes: []}

    def updates(self, run: Run, host: Host) -> dict[Any, Any]:
        """Updates that show the plan."""
        from ...runs.fit import fit_on
        from ..views.memory_view import memory_html

        with Guard("Planning the memory") as guard:
            fit = fit_on(host, run)
            values = [change.remedy.values for change in fit.changes]
            return {self.answer: memory_html(fit), self.fit: gr.update(visible=bool(values)), self.changes: values}
        if isinstance(guard.error, DarkroomError):
            return self.said(guard.reason)
        return self.said(f"The memory could not be planned: {guard.reason}")
