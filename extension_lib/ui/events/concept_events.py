"""Pictures, captions and prompts of the concepts: what is dropped, checked, looked at and written."""

from typing import Any

import gradio as gr

from ...config.run import Concept, Run
from ...errors import DarkroomError
from ..tabs.layout import Layout
from ..views import job_view
from ..views.overview_table import arithmetic


class ConceptEvents:
    def __init__(self, layout: Layout):
        self.layout, tab, fields = layout, layout.concepts, layout.run_fields
        tab.add.click(tab.added, tab.parts(), tab.outputs(), queue=False)
        tab.remove.click(tab.removed, tab.parts(), tab.outputs(), queue=False)
        tab.which.input(tab.chosen, [tab.which, *tab.parts()], tab.outputs(), queue=False)
        tab.look.click(self.check, fields, [tab.found, layout.train.arithmetic, *tab.pictures.outputs()], queue=False)
        tab.drop.upload(self.take_in, {*fields, tab.drop}, [tab.dropped, tab.drop, *tab.outputs()], queue=False)
        tab.pictures.wire(fields, self.saved_run)
        layout.concepts_tab.select(self.show_pictures, {*fields, tab.pictures.paths}, tab.pictures.outputs(),
                                   queue=False)
        tab.tools.wire(fields, self.saved_run, self.concept_shown, tab.pictures)

    def saved_run(self, data: dict) -> Run:
        """The run on the page, saved in its workspace. Raises DarkroomError."""
        space = self.layout.space_of(data[self.layout.model.workspace])
        run = self.layout.run_of(data, space.read_run().base.checkpoint)
        space.save_run(run)
        return run

    def concept_shown(self, data: dict, run: Run) -> Concept:
        return run.concepts[data[self.layout.concepts.current]]

    def check(self, data: dict) -> list[Any]:
        """The check before the start."""
        from ..views import check_view

        pictures = self.layout.concepts.pictures
        try:
            run = self.saved_run(data)
            return [check_view.panel(run, self.layout.host.tokens()), arithmetic(run), *pictures.all(run)]
        except DarkroomError as error:
            return [job_view.message(str(error)), "", *pictures.none()]

    def show_pictures(self, data: dict) -> list[Any]:
        """The pictures of a workspace, when its Concepts tab is opened for the first time."""
        pictures = self.layout.concepts.pictures
        if not data[pictures.paths]:
            try:
                return pictures.all(self.layout.run_of(data, "any"))
            except DarkroomError:
                pass  # no folder was chosen yet
        return [gr.update() for _ in pictures.outputs()]

    def take_in(self, data: dict) -> list[Any]:
        tab = self.layout.concepts
        try:
            folder = self.layout.space_of(data[self.layout.model.workspace]).folder
            return tab.taken_in(data[tab.drop], folder, *(data[part] for part in tab.parts()))
        except DarkroomError as error:
            return [job_view.message(str(error)), *[gr.update() for _ in (tab.drop, *tab.outputs())]]
