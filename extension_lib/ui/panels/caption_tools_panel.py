"""Tools for all captions of a concept: find and replace, text at start and end, tags, the host's captioners."""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
from markupsafe import Markup

from ...config.run import Concept, Run
from ...data import caption_tools
from ...data.caption_tools import Change, Edit
from ...data.captions import read_caption, read_caption_file, write_caption
from ...data.folder import FolderError, pictures_in, root_of
from ...data.pictures import load_picture
from ...errors import DarkroomError
from ...host import Host
from ...runs import job as jobs
from ..views.html import NOTHING, html, joined
from ..views.job_view import message
from ..views.plural import counted
from .pictures_panel import PicturesPanel, ReadRun
from .widgets import unsaved

SHOWN, TAGS = 8, 60  # changes and tags that are listed
EMPTY, ALL = "Pictures without a caption", "All pictures, replacing their captions"


class CaptionTools:
    """Changes captions only after Apply or Describe. The last change can be undone."""

    def __init__(self, host: Host) -> None:
        self.host, self.undoable = host, gr.State([])
        with gr.Accordion("Caption tools", open=False, elem_id="darkroom_caption_tools"):
            gr.Markdown("For all pictures of the concept above. Nothing is changed until you press Apply or Describe.")
            with gr.Row():
                self.find = text_field("Find", "find", "Upper and lower case matter.")
                self.replace = text_field("Replace with", "replace", "Leave empty to remove the text.")
            with gr.Row():
                self.before = text_field("Add at the start", "before", "For example: 'zwx ghost,'.")
                self.after = text_field("Add at the end", "after", "For example: ', night'.")
            with gr.Row():
                self.preview = gr.Button("Preview", elem_id="darkroom_tools_preview")
                self.apply = gr.Button("Apply", elem_id="darkroom_tools_apply")
                self.undo = gr.Button("Undo", elem_id="darkroom_tools_undo")
                self.count = gr.Button("Count tags", elem_id="darkroom_tools_tags")
            names = host.captioners()
            with gr.Row(visible=bool(names)) as self.describing:
                self.how = unsaved(gr.Dropdown(
                    choices=list(names), value=next(iter(names), None), label="Describe with",
                    elem_id="darkroom_describe_how", info="The WebUI's own interrogators."))
                self.which = unsaved(gr.Dropdown(choices=[EMPTY, ALL], value=EMPTY, label="Which pictures",
                                                 elem_id="darkroom_describe_which"))
                self.describe = gr.Button("Describe", elem_id="darkroom_describe")
            self.answer = gr.HTML(elem_id="darkroom_tools_answer")

    def wire(self, run_fields: set[Any], read_run: ReadRun, concept_shown: Callable[[dict, Run], Concept],
             pictures: PicturesPanel) -> None:
        """concept_shown: the concept on the page; pictures: the panel with the gallery to update."""
        self.read_run, self.concept_shown, self.pictures = read_run, concept_shown, pictures
        inputs = {*run_fields, self.find, self.replace, self.before, self.after}
        after = [self.answer, self.undoable, *pictures.outputs()]
        self.preview.click(self.preview_edit, inputs, [self.answer], queue=False)
        self.apply.click(self.apply_edit, inputs, after, queue=False)
        self.undo.click(self.undo_edit, {*run_fields, self.undoable}, after, queue=False)
        self.count.click(self.count_tags, run_fields, [self.answer], queue=False)
        self.describe.click(self.describe_pictures, {*run_fields, self.how, self.which}, after)

    def edit(self, data: dict) -> Edit:
        return Edit(*(data[field] or "" for field in (self.find, self.replace, self.before, self.after)))

    def changes(self, data: dict) -> list[Change]:
        return caption_tools.find_changes(self.concept_shown(data, self.read_run(data)), self.edit(data))

    def preview_edit(self, data: dict) -> str:
        try:
            return changes_table(self.changes(data), "{} would change.")
        except DarkroomError as error:
            return message(str(error))

    def apply_edit(self, data: dict) -> list[Any]:
        """Changes made before an error can be undone too."""
        changes: list[Change] = []
        try:
            for change in caption_tools.apply_changes(self.changes(data)):
                changes.append(change)
            answer = changes_table(changes, "{} changed.")
        except DarkroomError as error:
            answer = message(str(error))
        return [answer, changes or gr.update(), *self.gallery_updates(data)]

    def undo_edit(self, data: dict) -> list[Any]:
        left = list(data[self.undoable])
        restored = f"Restored {counted(len(left), 'caption')}."
        answer = message(restored if left else "There is nothing to undo.", good=bool(left))
        try:
            for change in caption_tools.undo_changes(data[self.undoable]):
                left.remove(change)
        except DarkroomError as error:
            answer = message(str(error))
        return [answer, left, *self.gallery_updates(data)]

    def gallery_updates(self, data: dict) -> list[Any]:
        """Updates of the gallery; none if a concept has no folder yet."""
        try:
            return self.pictures.show_all(self.read_run(data))
        except DarkroomError:
            return [gr.update() for _ in self.pictures.outputs()]

    def count_tags(self, data: dict) -> str:
        """Every tag with its count, and examples of a shuffled caption."""
        try:
            run = self.read_run(data)
            texts = list(caption_tools.captions_in(self.concept_shown(data, run)).values())
        except DarkroomError as error:
            return message(str(error))
        found = caption_tools.tag_counts(texts)
        chips = joined(html('<span class="darkroom-tag" translate="no">{} <b>{}</b></span>', tag, n)
                       for tag, n in found.most_common(TAGS))
        longest = max(texts, key=lambda text: text.count(","), default="")
        shuffles = joined(
            html("<li>{}</li>", text) for text in caption_tools.shuffled_examples(longest, run.data.keep_first))
        note = "as training will use it" if run.data.shuffle_captions else "as it would look with Shuffle captions on"
        return html('<div class="darkroom-tags">{}</div><div class="darkroom-faint">Shuffled, {} (the first {} stay):'
                    '</div><ul translate="no">{}</ul>', chips, note, run.data.keep_first, shuffles)

    # ---- the host's interrogators

    def describe_pictures(self, data: dict) -> Iterator[list[Any]]:
        """Writes each caption as soon as it is made, so that an interruption loses none."""
        changes: list[Change] = []
        unchanged = [gr.update() for _ in self.pictures.outputs()]
        try:
            if jobs.running_job():
                raise FolderError("Something is being trained. Describe pictures when it is done.")
            run = self.read_run(data)
            root = root_of(self.concept_shown(data, run))
            chosen = [p for p in pictures_in(root) if data[self.which] == ALL or not read_caption(p)]
            for path, text in zip(chosen, self.host.caption(data[self.how], (load_picture(p) for p in chosen))):
                if text:  # a captioner may return nothing
                    before, said = read_caption_file(path), read_caption(path)
                    write_caption(path, text)
                    changes.append(Change(path, before, said or "", text))
                yield [message(f"{len(changes)} of {len(chosen)} described.", good=True), changes, *unchanged]
            yield [changes_table(changes, "{} described."), changes, *self.gallery_updates(data)]
        except DarkroomError as error:
            yield [message(str(error)), changes, *unchanged]


def text_field(label: str, name: str, info: str) -> Any:
    return unsaved(gr.Textbox(label=label, info=info, max_lines=1, elem_id=f"darkroom_tools_{name}"))


def changes_table(changes: list[Change], sentence: str) -> Markup:
    """Some of the changes, before and after. sentence: with {} for their number."""
    if not changes:
        return message("No caption matches, so nothing changes.")
    shown = ((change.path.name, change.old, change.new) for change in changes[:SHOWN])
    rows = joined(html("<tr><td>{}</td><td>{}</td><td>{}</td></tr>", *texts) for texts in shown)
    left = len(changes) - SHOWN
    return html('<div class="darkroom-figures">{}</div>'
                '<div class="darkroom-wide"><table class="darkroom-check-table darkroom-check-changes">'
                "<thead><tr><th>Picture</th><th>Before</th><th>After</th></tr></thead>"
                '<tbody translate="no">{}</tbody></table></div>{}', sentence.format(counted(len(changes), "caption")),
                rows, html('<div class="darkroom-faint">and {} more</div>', left) if left > 0 else NOTHING)
