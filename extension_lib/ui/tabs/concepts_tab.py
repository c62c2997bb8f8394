"""The Concepts tab: the pictures of each concept, and their prompts."""

from pathlib import Path
from typing import Any

import gradio as gr

from ...config.run import Concept
from ...data import uploads
from ...data.limits import are_hidden
from ...host import Host
from ...settings import options
from ..panels.caption_tools_panel import CaptionTools
from ..panels.form import build_component, display_value, elem_id
from ..panels.pictures_panel import PicturesPanel
from ..panels.widgets import unsaved
from ..views.job_view import message
from ..views.plural import counted


class ConceptsTab:
    """Shows the fields of one concept at a time. Two states hold all concepts, and which of them is shown."""

    def __init__(self, host: Host) -> None:
        self.all, self.current = gr.State([{}]), gr.State(0)
        with gr.Row():
            with gr.Column():
                with gr.Row():
                    self.which = gr.Radio(choices=["Concept 1"], value="Concept 1", label="Concept", scale=4,
                                          elem_id="darkroom_concept",
                                          info="One thing to learn. One concept is usually enough.")
                    self.add = gr.Button("Add", elem_id="darkroom_concept_add", elem_classes=["darkroom-small"],
                                         size="sm")
                    self.remove = gr.Button("Remove", elem_id="darkroom_concept_remove",
                                            elem_classes=["darkroom-small"], size="sm")
                self.upload = unsaved(gr.File(label="Drop pictures here; they are copied into the workspace",
                                              file_count="multiple", elem_id="darkroom_drop", height=140))
                self.upload_answer = gr.HTML(elem_id="darkroom_dropped")
                limited = are_hidden(host.folders)
                self.fields = {o.name: build_component(o, elem_id("concepts", o.name), not (o.folder and limited))
                               for o in options(Concept)}
            with gr.Column():
                self.check = gr.Button("Check before start", variant="primary", elem_id="darkroom_look")
                self.check_answer = gr.HTML(elem_id="darkroom_found")
        self.pictures = PicturesPanel()
        self.tools = CaptionTools(host)
        unsaved(self.which)

    def inputs(self) -> list[Any]:
        """The inputs of all_concepts()."""
        return [self.all, self.current, *self.fields.values()]

    def outputs(self) -> list[Any]:
        """What show_concept() updates."""
        return [self.all, self.current, self.which, *self.fields.values()]

    def all_concepts(self, stored: list[dict], current: int, *values: Any) -> list[dict]:
        """All concepts; the values on the page replace those of the concept that is shown."""
        concepts = [dict(c) for c in stored] or [{}]
        concepts[min(current, len(concepts) - 1)] = dict(zip(self.fields, values))
        return concepts

    def show_concept(self, concepts: list[dict], n: int) -> list[Any]:
        """Updates that show concept n."""
        concepts = concepts or [{}]
        names = [f"Concept {i + 1}" for i in range(len(concepts))]
        fields = [gr.update(value=display_value(o, concepts[n].get(o.name, o.default))) for o in options(Concept)]
        return [concepts, n, gr.update(choices=names, value=names[n]), *fields]

    def add_concept(self, *inputs: Any) -> list[Any]:
        concepts = self.all_concepts(*inputs)
        return self.show_concept([*concepts, {}], len(concepts))

    def remove_concept(self, *inputs: Any) -> list[Any]:
        concepts, n = self.all_concepts(*inputs), inputs[1]
        left = concepts[:n] + concepts[n + 1:]
        return self.show_concept(left or [{}], max(0, n - 1))

    def upload_pictures(self, files: list[Any], workspace: Path, *inputs: Any) -> list[Any]:
        """Copies dropped files into the workspace and shows the concept with that folder. Raises SaveError."""
        concepts, n = self.all_concepts(*inputs), inputs[1]
        before = concepts[n].get("folder") or ""
        folder = uploads.folder_for(workspace, before)
        taken = uploads.copy_uploads([Path(getattr(file, "name", file)) for file in files], folder)
        if taken.pictures or taken.captions:
            concepts[n]["folder"] = str(folder)
        return [upload_report(taken, folder, before), gr.update(value=None), *self.show_concept(concepts, n)]

    def choose_concept(self, which: str, *inputs: Any) -> list[Any]:
        return self.show_concept(self.all_concepts(*inputs), concept_number(which))


def concept_number(which: str | None) -> int:
    """The first where a page chose none."""
    return int(which.split()[-1]) - 1 if which else 0


def upload_report(taken: uploads.Upload, folder: Path, before: str) -> str:
    """Says what was copied and what was skipped."""
    lines = [f"Copied {counted(len(taken.pictures), 'picture')} and {counted(taken.captions, 'caption')} to {folder}."]
    if before and before != str(folder):
        lines.append(f"This concept now uses that folder instead of {before}.")
    if taken.refused:
        lines.append(f"Skipped, because they are not pictures: {', '.join(taken.refused)}.")
    if taken.pictures:
        lines.append("Now press Check before start.")
    return message(" ".join(lines), good=bool(taken.pictures or taken.captions))
