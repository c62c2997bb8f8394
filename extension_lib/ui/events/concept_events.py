"""Concepts are added and removed; their pictures are uploaded, checked and shown."""

from typing import Any

import gradio as gr

from ...config.run import Concept, Run
from ...errors import DarkroomError
from ..tabs.layout import Layout
from ..views import job_view


class ConceptEvents:
    def __init__(self, layout: Layout):
        self.layout, tab, fields = layout, layout.concepts, layout.run_fields
        tab.add.click(tab.add_concept, tab.inputs(), tab.outputs(), queue=False)
        tab.remove.click(tab.remove_concept, tab.inputs(), tab.outputs(), queue=False)
        tab.which.input(tab.choose_concept, [tab.which, *tab.inputs()], tab.outputs(), queue=False)
        tab.check.click(self.check, fields, [tab.check_answer, layout.train.arithmetic, *tab.pictures.outputs()],
                        queue=False)
        tab.upload.upload(self.upload_pictures, {*fields, tab.upload}, [tab.upload_answer, tab.upload, *tab.outputs()],
                          queue=False)
        tab.pictures.wire(fields, self.save_run_on_page)
        layout.concepts_tab.select(self.show_pictures, {*fields, tab.pictures.paths}, tab.pictures.outputs(),
                                   queue=False)
        tab.tools.wire(fields, self.save_run_on_page, self.concept_shown, tab.pictures)

    def save_run_on_page(self, data: dict) -> Run:
        """The run on the page, saved in its workspace. Raises DarkroomError."""
        space = self.layout.open_workspace(data[self.layout.model.workspace])
        run = self.layout.run_of(data, space.read_run().base.checkpoint)
        space.save_run(run)
        return run

    def concept_shown(self, data: dict, run: Run) -> Concept:
        return run.concepts[data[self.layout.concepts.current]]

    def check(self, data: dict) -> list[Any]:
        """The report of the check before the start, and the pictures."""
        from ..views import check_view

        pictures = self.layout.concepts.pictures
        try:
            run = self.save_run_on_page(data)
            report, steps = check_view.check_report(run, self.layout.host.tokens())
            return [report, steps, *pictures.show_all(run)]
        except DarkroomError as error:
            return [job_view.message(str(error)), "", *pictures.show_none(error)]

    def show_pictures(self, data: dict) -> list[Any]:
        """The pictures of a workspace, when its Concepts tab is opened for the first time."""
        pictures = self.layout.concepts.pictures
        if not data[pictures.paths]:
            try:
                return pictures.show_all(self.layout.run_of(data, "any"))
            except DarkroomError:
                pass  # no folder was chosen yet
        return [gr.update() for _ in pictures.outputs()]

    def upload_pictures(self, data: dict) -> list[Any]:
        tab = self.layout.concepts
        try:
            folder = self.layout.open_workspace(data[self.layout.model.workspace]).folder
            return tab.upload_pictures(data[tab.upload], folder, *(data[part] for part in tab.inputs()))
        except DarkroomError as error:
            return [job_view.message(str(error)), *[gr.update() for _ in (tab.upload, *tab.outputs())]]
