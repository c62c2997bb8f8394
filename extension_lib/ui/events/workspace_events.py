"""A workspace is created, shown, renamed, duplicated, deleted or imported."""

from typing import Any

import gradio as gr

from ...errors import DarkroomError
from ...workspaces.starting_run import starting_run
from ..tabs.layout import Layout, Updates
from ..views import job_view


class WorkspaceEvents:
    def __init__(self, layout: Layout):
        self.layout, tab, shown = layout, layout.model, layout.workspace_fields
        workspace, panel = [tab.workspace], tab.importing
        changed = [tab.manage_answer, tab.new_name, tab.trash, *shown]
        tab.create.click(self.create, [tab.name, tab.checkpoint, tab.purpose, tab.method],
                         [tab.answer, tab.name, *shown], queue=False)
        layout.enter.click(self.enter, None, [*shown, tab.checkpoint, tab.trash, layout.train.presets.choice],
                           queue=False)
        tab.workspace.input(self.show_workspace, workspace, shown, queue=False)
        tab.refresh_workspaces.click(self.refresh_list, workspace, shown, queue=False)
        tab.pick.click(self.select_workspace, [tab.picked], shown, queue=False)
        tab.rename.click(self.rename, [*workspace, tab.new_name], changed, queue=False)
        tab.duplicate.click(self.duplicate, [*workspace, tab.new_name], changed, queue=False)
        tab.discard.click(self.discard, workspace, changed, queue=False)
        tab.restore.click(self.restore, [tab.trash], changed, queue=False)
        tab.base.input(self.rebase, [*workspace, tab.base], changed, queue=False)
        panel.start.click(self.import_settings, [panel.path, panel.upload, tab.name, tab.checkpoint],
                       [panel.answer, tab.name, *shown], queue=False)

    def enter(self) -> Updates:
        """A page that was just opened shows the newest workspace as it was left, and what there is and is loaded by
        now.
        """
        tab, presets = self.layout.model, self.layout.train.presets
        loaded = gr.update(choices=tab.checkpoint_titles(), value=tab.loaded_checkpoint())
        return {**self.select_workspace(tab.newest_workspace()), tab.checkpoint: loaded,
                tab.trash: gr.update(choices=tab.deleted_models()),
                presets.choice: gr.update(choices=presets.preset_titles())}

    def select_workspace(self, name: str | None) -> Updates:
        """Shows a workspace; the newest in place of one that another page has taken away meanwhile."""
        names = self.layout.model.workspace_names()
        name = name if name in names else next(iter(names), None)
        return {**self.show_workspace(name), self.layout.model.workspace: gr.update(choices=names, value=name)}

    def refresh_list(self, name: str | None) -> Updates:
        """What is written on the page stays, unless its workspace is gone."""
        names = self.layout.model.workspace_names()
        return {self.layout.model.workspace: gr.update(choices=names)} if name in names else self.select_workspace(name)

    def create(self, name: str, checkpoint: str, purpose: str, method: str) -> Updates:
        tab = self.layout.model
        created, answer = tab.create_workspace(name, checkpoint, purpose, method)
        if created is None:
            return {tab.answer: answer}
        # the field is empty for the next name
        return {tab.answer: answer, tab.name: "", **self.select_workspace(created)}

    def show_workspace(self, name: str | None) -> Updates:
        about = self.layout.model.workspace_updates(name)
        try:
            space = self.layout.open_workspace(name)
            start = run = space.read_run()
        except DarkroomError:
            return about
        try:
            start = starting_run(space, self.layout.host)
        except DarkroomError as error:  # of the checkpoint's preset; its settings are shown all the same
            about[self.layout.model.about] += job_view.message(str(error))
        pictures = self.layout.concepts.pictures
        return {**about, **self.layout.run_updates(run, start), **self.layout.train.kept.updates(space),
                self.layout.concepts.check_answer: "",
                **dict(zip(pictures.outputs(), pictures.show_none()))}

    def rename(self, name: str | None, new: str) -> Updates:
        return self.changed(*self.layout.model.rename_workspace(name, new))

    def duplicate(self, name: str | None, new: str) -> Updates:
        return self.changed(*self.layout.model.duplicate_workspace(name, new))

    def discard(self, name: str | None) -> Updates:
        return self.changed(*self.layout.model.delete_workspace(name))

    def restore(self, deleted: str | None) -> Updates:
        return self.changed(*self.layout.model.restore_workspace(deleted))

    def rebase(self, name: str | None, checkpoint: str) -> Updates:
        return self.changed(*self.layout.model.change_checkpoint(name, checkpoint))

    def changed(self, shown: str | None, answer: str) -> Updates:
        tab = self.layout.model
        if shown is None:
            return {tab.manage_answer: answer}
        return {**self.select_workspace(shown or None), tab.manage_answer: answer, tab.new_name: gr.update(value=""),
                tab.trash: gr.update(choices=tab.deleted_models(), value=None)}

    def import_settings(self, path: str, upload: Any, name: str, checkpoint: str) -> Updates:
        made, answer = self.layout.model.importing.import_settings(path, upload, name, checkpoint)
        said = {self.layout.model.importing.answer: answer}
        return {**self.select_workspace(made), **said, self.layout.model.name: ""} if made else said
