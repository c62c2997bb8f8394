"""Settings: presets, the way back to starting values, and settings as text."""

from typing import Any

import gradio as gr

from ...config import presets
from ...config.run import Run
from ...data.limits import within_limits
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
        row, changed, text = self.tab.presets, self.tab.changed, self.tab.text
        run_fields, fields = layout.run_fields, [*self.tab.form.all_components(), self.tab.arithmetic]
        row.apply.click(self.apply_preset, {*run_fields, row.choice}, [row.answer, *shown], queue=False)
        row.delete.click(self.delete_preset, [row.choice], [row.answer, row.choice], queue=False)
        row.save.click(self.save_preset, {*run_fields, row.name}, [row.save_answer, row.choice, row.name], queue=False)
        changed.reset.click(self.reset, {*run_fields, changed.reset_ids}, fields, queue=False)
        changed.reset_all.click(self.reset_all, run_fields, fields, queue=False)
        text.write.click(self.write_text, run_fields, [text.text, text.answer], queue=False)
        text.apply.click(self.apply_text, {*run_fields, text.text}, [text.answer, *shown], queue=False)

    def run_on_page(self, data: dict) -> tuple[Workspace, Run]:
        """The workspace and the run that the page shows. Raises DarkroomError."""
        space = self.layout.open_workspace(data[self.layout.model.workspace])
        return space, self.layout.run_of(data, space.read_run().base.checkpoint)

    def starting_run(self, space: Workspace, method: str) -> Run:
        return starting_run(space, self.layout.host, method)

    def apply_preset(self, data: dict) -> Updates:
        row = self.tab.presets
        try:
            space, run = self.run_on_page(data)
            title = data[row.choice] or ""
            own = presets.about_checkpoint(self.layout.host, run.base)
            run, about = row.apply_preset(title, run, space, *own)
            shown = self.layout.run_updates(run, self.starting_run(space, run.method.name))
        except DarkroomError as error:
            return {row.answer: message(str(error))}
        return {**shown, self.layout.model.about: self.layout.model.describe_workspaces(space.name),
                row.answer: message(f"{title}: {about}", good=True)}

    def save_preset(self, data: dict) -> tuple[str, Any, Any]:
        row = self.tab.presets
        try:
            path = presets.save_preset(row.folder, data[row.name] or "", self.run_on_page(data)[1])
        except DarkroomError as error:
            return message(str(error)), gr.update(), gr.update()
        title = row.own_title(path.stem)
        return (message(f"Saved as {path.name}. It is in the list of presets, as {title}.", good=True),
                gr.update(choices=row.preset_titles(), value=title), gr.update(value=""))

    def delete_preset(self, title: str | None) -> tuple[str, Any]:
        row = self.tab.presets
        try:
            answer = row.delete_preset(title or "")
        except DarkroomError as error:
            return message(str(error)), gr.update()
        return message(answer, good=True), gr.update(choices=row.preset_titles(), value=row.preset_titles()[0])

    def reset(self, data: dict) -> Updates:
        ids = data[self.tab.changed.reset_ids] or ""
        # no version of Gradio accepts an empty dict
        return self.reset_settings(data, ids) if ids else {self.tab.arithmetic: gr.update()}

    def reset_all(self, data: dict) -> Updates:
        return self.reset_settings(data, "")

    def reset_settings(self, data: dict, ids: str) -> Updates:
        """Works even if the page's other values are no valid run, because this may be what repairs them."""
        method, family = data[self.tab.method], None
        try:
            space = self.layout.open_workspace(data[self.layout.model.workspace])
            start, family = self.starting_run(space, method), self.layout.family_of(space.read_run())
        except DarkroomError:
            start = presets.defaults(method)
        updates = changed_settings.reset_updates(self.tab.form, start, ids, family)
        after = {**data, **{component: update["value"] for component, update in updates.items() if "value" in update}}
        return {**updates, self.tab.arithmetic: self.layout.steps_text(after)}

    def write_text(self, data: dict) -> tuple[Any, str]:
        try:
            return run_text.run_as_toml(self.run_on_page(data)[1]), ""
        except DarkroomError as error:
            return gr.update(), message(str(error))

    def apply_text(self, data: dict) -> Updates:
        """Applies the TOML text. A checkpoint that does not exist here is ignored."""
        place = self.tab.text.answer
        try:
            space, before = self.run_on_page(data)
            run = run_text.run_from_toml(data[self.tab.text.text] or "", before,
                                         lambda method: self.starting_run(space, method))
            run = within_limits(run, self.layout.host.folders)
            answer = "Applied."
            try:
                find_checkpoint(self.layout.host, run.base.checkpoint)
            except HostError:
                kept = before.base.checkpoint
                answer = f"Applied. There is no checkpoint {run.base.checkpoint} here, so {kept} is kept."
                run = run.with_values({"base": {"checkpoint": kept}})
            space.save_run(run)
            shown = self.layout.run_updates(run, self.starting_run(space, run.method.name))
        except DarkroomError as error:
            return {place: message(str(error))}
        return {**shown, **self.layout.model.workspace_updates(space.name), place: message(answer, good=True)}
