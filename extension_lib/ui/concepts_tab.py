"""The Concepts tab: which pictures, and what they are called."""

from collections import Counter
from html import escape
from typing import Any

import gradio as gr

from ..data.buckets import bucket_of, buckets
from ..data.folder import FolderError, Found, find
from ..run import Concept, Run
from ..settings import SettingError, build, options
from .form import component, elem_id, shown
from .live import message
from .parts import unsaved

THUMBNAILS = 60  # a gallery of more is slow and nobody looks at it


class ConceptsTab:
    """One concept's fields at a time; the others wait in a state, as does which one is shown."""

    def __init__(self) -> None:
        self.all, self.current = gr.State([{}]), gr.State(0)
        with gr.Row():
            with gr.Column():
                with gr.Row():
                    self.which = gr.Radio(choices=["Concept 1"], value="Concept 1", label="Concept", scale=4,
                                          elem_id="darkroom_concept", info="One thing to learn. Most need only one.")
                    self.add = gr.Button("Add", elem_id="darkroom_concept_add", elem_classes=["darkroom-small"])
                    self.remove = gr.Button("Remove", elem_id="darkroom_concept_remove", elem_classes=["darkroom-small"])
                self.fields = {o.name: component(o, elem_id("concepts", o.name)) for o in options(Concept)}
                self.look = gr.Button("Look at the pictures", variant="primary", elem_id="darkroom_look")
            with gr.Column():
                self.found = gr.HTML(elem_id="darkroom_found")
                self.gallery = gr.Gallery(label="Pictures", columns=6, height=420, elem_id="darkroom_gallery")
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

    def chosen(self, which: str, *parts: Any) -> list[Any]:
        return self.shown(self.collected(*parts), number(which))


def number(which: str) -> int:
    return int(which.split()[-1]) - 1


def looked_at(concepts: list[dict], run: Run) -> tuple[str, list[tuple[str, str]]]:
    """What was found as HTML, and (path, prompt) of pictures for the gallery."""
    parts, pictures = [], []
    for n, values in enumerate(concepts):
        try:
            concept = build(Concept, values, f"concept {n + 1}")
            found = find(concept, concept.word or run.output.name, run.data.template)
        except (FolderError, SettingError) as error:
            parts.append(message(str(error)))
            continue
        parts.append(summary(found, run))
        pictures += [(str(i.path), i.prompt) for i in found.items]
    return "".join(parts), pictures[:THUMBNAILS]


def summary(found: Found, run: Run) -> str:
    sizes = buckets(run.data.resolution, run.data.buckets)
    counts = Counter(bucket_of(i.width, i.height, sizes) for i in found.items)
    shapes = ", ".join(f"{n} × {w}×{h}" for (w, h), n in counts.most_common())
    shows = sum(i.repeats for i in found.items)
    prompts = "".join(f"<li>{escape(p) or '<i>empty</i>'}</li>" for p in list(dict.fromkeys(i.prompt for i in found.items))[:5])
    lines = "".join(f'<div class="darkroom-warning">{escape(p)}</div>' for p in found.problems)
    return (f'<div class="darkroom-found"><b>{len(found.items)} pictures</b>, {shows} showings in an epoch, '
            f"in the sizes {shapes}.{lines}<p>They will be called:</p><ul>{prompts}</ul></div>")

