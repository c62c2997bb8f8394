"""The Concepts tab: which pictures, and what they are called."""

from pathlib import Path
from typing import Any

import gradio as gr

from ...config.run import Concept
from ...data import uploads
from ...host import Host
from ...settings import options
from ..panels.caption_tools_panel import CaptionTools
from ..panels.form import component, elem_id, shown
from ..panels.pictures_panel import PicturesPanel
from ..panels.widgets import unsaved
from ..views.job_view import message
from ..views.plural import counted


class ConceptsTab:
    """One concept's fields at a time; the others wait in a state, as does which one is shown."""

    def __init__(self, host: Host) -> None:
        self.all, self.current = gr.State([{}]), gr.State(0)
        with gr.Row():
            with gr.Column():
                with gr.Row():
                    self.which = gr.Radio(choices=["Concept 1"], value="Concept 1", label="Concept", scale=4,
                                          elem_id="darkroom_concept", info="One thing to learn. One concept is usually enough.")
                    self.add = gr.Button("Add", elem_id="darkroom_concept_add", elem_classes=["darkroom-small"], size="sm")
                    self.remove = gr.Button("Remove", elem_id="darkroom_concept_remove",
                                            elem_classes=["darkroom-small"], size="sm")
                self.drop = unsaved(gr.File(label="Drop pictures here; they are copied into the workspace", file_count="multiple",
                                            elem_id="darkroom_drop", height=140))
                self.dropped = gr.HTML(elem_id="darkroom_dropped")
                self.fields = {o.name: component(o, elem_id("concepts", o.name)) for o in options(Concept)}
            with gr.Column():
                self.look = gr.Button("Check before start", variant="primary", elem_id="darkroom_look")
                self.found = gr.HTML(elem_id="darkroom_found")
        self.pictures = PicturesPanel()
        self.tools = CaptionTools(host)
        unsaved(self.which)

    def parts(self) -> list[Any]:
        """Inputs that together say what all concepts are; read them with collected()."""
        return [self.all, self.current, *self.fields.values()]

    def outputs(self) -> list[Any]:
        """What shown() updates."""
        return [self.all, self.current, self.which, *self.fields.values()]

    def collected(self, kept: list[dict], current: int, *values: Any) -> list[dict]:
        """All concepts, with what is on the page put over the one it shows."""
        concepts = [dict(c) for c in kept] or [{}]
        concepts[min(current, len(concepts) - 1)] = dict(zip(self.fields, values))
        return concepts

    def shown(self, concepts: list[dict], n: int) -> list[Any]:
        """Updates that show concept n."""
        concepts = concepts or [{}]
        names = [f"Concept {i + 1}" for i in range(len(concepts))]
        known = {o.name: o for o in options(Concept)}
        fields = [gr.update(value=shown(known[f], concepts[n].get(f, known[f].default))) for f in self.fields]
        return [concepts, n, gr.update(choices=names, value=names[n]), *fields]

    def added(self, *parts: Any) -> list[Any]:
        concepts = self.collected(*parts)
        return self.shown([*concepts, {}], len(concepts))

    def removed(self, *parts: Any) -> list[Any]:
        concepts, n = self.collected(*parts), parts[1]
        left = concepts[:n] + concepts[n + 1:]
        return self.shown(left or [{}], max(0, n - 1))

    def taken_in(self, files: list[Any], workspace: Path, *parts: Any) -> list[Any]:
        """Copies dropped files into the workspace and shows the concept with that folder. Raises SaveError."""
        concepts, n = self.collected(*parts), parts[1]
        before = concepts[n].get("folder") or ""
        folder = uploads.folder_for(workspace, before)
        taken = uploads.take_in([Path(getattr(file, "name", file)) for file in files], folder)
        if taken.pictures or taken.captions:
            concepts[n]["folder"] = str(folder)
        return [said_of(taken, folder, before), gr.update(value=None), *self.shown(concepts, n)]

    def chosen(self, which: str, *parts: Any) -> list[Any]:
        return self.shown(self.collected(*parts), number(which))


def number(which: str) -> int:
    return int(which.split()[-1]) - 1


def said_of(taken: uploads.Taken, folder: Path, before: str) -> str:
    """What became of dropped files."""
    lines = [f"Copied {counted(len(taken.pictures), 'picture')} and {counted(taken.captions, 'caption')} to {folder}."]
    if before and before != str(folder):
        lines.append(f"This concept now uses that folder instead of {before}.")
    if taken.refused:
        lines.append(f"Skipped, because they are not pictures: {', '.join(taken.refused)}.")
    if taken.pictures:
        lines.append("Now press Check before start.")
    return message(" ".join(lines), good=bool(taken.pictures or taken.captions))
