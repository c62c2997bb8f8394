"""Settings are taken from a preset, reset, or written and read as text."""

from typing import Any

import gradio as gr

from ...config import presets
from ...config.run import Run
from ...errors import DarkroomError
from ...host import HostError, find_checkpoint
from ...workspaces.starting_run import starting_run
from ...workspaces.workspace import Workspace
from ..panels import changed_settings, run_text
from ..tabs.layout import Layout, Updates
from ..views.job_view import message


class SettingsEvents:
    def __init__(self, layout: Layout):
        self.layout, self.tab, shown = layout, layout.train, layout.workspace_fields
        row, marked, text = self.tab.presets, self.tab.marks, self.tab.text
        everything, fields = layout.run_fields, [*self.tab.form.everything(), self.tab.arithmetic]
        row.apply.click(self.apply, {*everything, row.choice}, [row.answer, *shown], queue=False)
        row.delete.click(self.delete, [row.choice], [row.answer, row.choice], queue=False)
        row.save.click(self.save, {*everything, row.name}, [row.saved, row.choice, row.name], queue=False)
        marked.back.click(self.back, {*everything, marked.asked}, fields, queue=False)
        marked.back_all.click(self.back_all, everything, fields, queue=False)
        text.write.click(self.write, everything, [text.text, text.answer], queue=False)
        text.apply.click(self.paste, {*everything, text.text}, [text.answer, *shown], queue=False)

    def on_page(self, data: dict) -> tuple[Workspace, Run]:
        """The workspace and the run that the page shows. Raises DarkroomError."""
        space = self.layout.space_of(data[self.layout.model.workspace])
        return space, self.layout.run_of(data, space.read_run().base.checkpoint)

    def start(self, space: Workspace, method: str) -> Run:
        return starting_run(space, self.layout.host, method)

    def apply(self, data: dict) -> Updates:
        row = self.tab.presets
        try:
            space, run = self.on_page(data)
            title = data[row.choice] or ""
            run, about = row.applied(title, run, space, presets.checkpoint_preset(self.layout.host, run.base.checkpoint))
            shown = self.layout.run_updates(run, self.start(space, run.method.name))
        except DarkroomError as error:
            return {row.answer: message(str(error))}
        return {**shown, self.layout.model.about: self.layout.model.described(space.name),
                row.answer: message(f"{title}: {about}", good=True)}

    def save(self, data: dict) -> tuple[str, Any, Any]:
        row = self.tab.presets
        try:
            path = presets.save_preset(row.folder, data[row.name] or "", self.on_page(data)[1])
        except DarkroomError as error:
            return message(str(error)), gr.update(), gr.update()
        title = row.own(path.stem)
        return (message(f"Saved as {path.name}. It is in the list of presets, as {title}.", good=True),
                gr.update(choices=row.titles(), value=title), gr.update(value=""))

    def delete(self, title: str | None) -> tuple[str, Any]:
        row = self.tab.presets
        try:
            said = row.deleted(title or "")
        except DarkroomError as error:
            return message(str(error)), gr.update()
        return message(said, good=True), gr.update(choices=row.titles(), value=row.titles()[0])

    def back(self, data: dict) -> Updates:
        asked = data[self.tab.marks.asked] or ""
        # no version takes an empty answer
        return self.went_back(data, asked) if asked else {self.tab.arithmetic: gr.update()}

    def back_all(self, data: dict) -> Updates:
        return self.went_back(data, "")

    def went_back(self, data: dict, asked: str) -> Updates:
        """Does not ask whether the page's other values make a run, for the way back may be what mends them."""
        method = data[self.tab.method]
        try:
            start = self.start(self.layout.space_of(data[self.layout.model.workspace]), method)
        except DarkroomError:
            start = presets.defaults(method)
        updates = changed_settings.gone_back(self.tab.form, start, asked)
        after = {**data, **{component: update["value"] for component, update in updates.items() if "value" in update}}
        return {**updates, self.tab.arithmetic: self.layout.steps_text(after)}

    def write(self, data: dict) -> tuple[Any, str]:
        try:
            return run_text.written(self.on_page(data)[1]), ""
        except DarkroomError as error:
            return gr.update(), message(str(error))

    def paste(self, data: dict) -> Updates:
        """Applies what is written; a checkpoint that is not here changes nothing."""
        answer = self.tab.text.answer
        try:
            space, before = self.on_page(data)
            run = run_text.applied(data[self.tab.text.text] or "", before, lambda method: self.start(space, method))
            said = "Applied."
            try:
                find_checkpoint(self.layout.host, run.base.checkpoint)
            except HostError:
                said = f"Applied. There is no checkpoint {run.base.checkpoint} here, so {before.base.checkpoint} is kept."
                run = run.with_values({"base": {"checkpoint": before.base.checkpoint}})
            space.save_run(run)
            shown = self.layout.run_updates(run, self.start(space, run.method.name))
        except DarkroomError as error:
            return {answer: message(str(error))}
        return {**shown, **self.layout.model.shows(space.name), answer: message(said, good=True)}
