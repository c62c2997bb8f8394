"""What a crash or the end of the program has left, and a button that continues from there."""

from typing import Any

import gradio as gr

from ...errors import DarkroomError
from ...runs import job as jobs
from ...workspaces.last_run import last_run
from ...workspaces.workspace import Workspace
from ..views.job_view import message


class ContinueRow:
    def __init__(self) -> None:
        self.notice = gr.HTML(visible=False, elem_id="darkroom_kept")
        self.button = gr.Button("Continue", visible=False, elem_id="darkroom_continue_kept")

    def outputs(self) -> list[Any]:
        return [self.notice, self.button]

    def updates(self, space: Workspace | None) -> dict[Any, Any]:
        """Shown for a workspace with steps that are in no file yet, while nothing is trained."""
        said = self.notice_for(space) if space else ""
        return {self.notice: gr.update(value=message(said, good=True) if said else "", visible=bool(said)),
                self.button: gr.update(visible=bool(said))}

    def notice_for(self, space: Workspace) -> str:
        try:
            return last_run(space) if space.files_missing and not jobs.running_job() else ""
        except DarkroomError:
            return ""  # its tile says what is wrong
