"""What happens on the page when workspaces are picked by their card, renamed, duplicated, deleted or imported."""

from typing import TYPE_CHECKING, Any

import gradio as gr

if TYPE_CHECKING:
    from .page import Page


class WorkspaceEvents:
    """shown: the components that another workspace fills."""

    def __init__(self, page: "Page", shown: list[Any]):
        self.page, tab = page, page.model
        chosen, panel = [tab.workspace], tab.importing
        ordered = [tab.order, tab.new_name, tab.trash, *shown]
        tab.pick.click(self.page.put_in_front, [tab.picked], shown, queue=False)
        tab.rename.click(self.rename, [*chosen, tab.new_name], ordered, queue=False)
        tab.duplicate.click(self.duplicate, [*chosen, tab.new_name], ordered, queue=False)
        tab.discard.click(self.discard, chosen, ordered, queue=False)
        tab.restore.click(self.restore, [tab.trash], ordered, queue=False)
        tab.base.input(self.rebase, [*chosen, tab.base], ordered, queue=False)
        panel.go.click(self.bring, [panel.path, panel.upload, tab.name, tab.checkpoint], [panel.answer, tab.name, *shown],
                       queue=False)

    def rename(self, name: str | None, new: str) -> dict[Any, Any]:
        return self.ordered(*self.page.model.renamed(name, new))

    def duplicate(self, name: str | None, new: str) -> dict[Any, Any]:
        return self.ordered(*self.page.model.duplicated(name, new))

    def discard(self, name: str | None) -> dict[Any, Any]:
        return self.ordered(*self.page.model.discarded(name))

    def restore(self, thrown: str | None) -> dict[Any, Any]:
        return self.ordered(*self.page.model.restored(thrown))

    def rebase(self, name: str | None, checkpoint: str) -> dict[Any, Any]:
        return self.ordered(*self.page.model.rebased(name, checkpoint))

    def ordered(self, shown: str | None, answer: str) -> dict[Any, Any]:
        tab = self.page.model
        if shown is None:
            return {tab.order: answer}
        return {**self.page.put_in_front(shown or None), tab.order: answer, tab.new_name: gr.update(value=""),
                tab.trash: gr.update(choices=tab.thrown_away(), value=None)}

    def bring(self, path: str, upload: Any, name: str, checkpoint: str) -> dict[Any, Any]:
        made, answer = self.page.model.importing.imported(path, upload, name, checkpoint)
        said = {self.page.model.importing.answer: answer}
        return {**self.page.put_in_front(made), **said, self.page.model.name: ""} if made else said
