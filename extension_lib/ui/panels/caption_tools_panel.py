"""Tools for all captions of the concept shown: find and replace, text before and after, tags, the host's captioners."""

from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import gradio as gr

from ...config.run import Concept, Run
from ...data import caption_tools
from ...data.caption_tools import Change, Edit
from ...data.captions import caption_file, write_caption, written_caption
from ...data.folder import FolderError, pictures_in, root_of
from ...data.pictures import load
from ...errors import DarkroomError
from ...host import Host
from ...runs import job as jobs
from ..views.job_view import message
from ..views.plural import counted
from .pictures_panel import Settled
from .widgets import unsaved

SHOWN, TAGS = 8, 60  # changes and tags that are listed
EMPTY, ALL = "Pictures without a caption", "All pictures, replacing their captions"


class CaptionTools:
    """Nothing is written before Apply; the last change can be undone."""

    def __init__(self, host: Host) -> None:
        self.host, self.undoable = host, gr.State([])
        with gr.Accordion("Caption tools", open=False, elem_id="darkroom_caption_tools"):
            gr.Markdown("For all pictures of the concept above. Nothing is changed until you press Apply or Describe.")
            with gr.Row():
                self.find = field("Find", "find", "Upper and lower case matter.")
                self.replace = field("Replace with", "replace", "Leave empty to remove the text.")
            with gr.Row():
                self.before = field("Add at the start", "before", "For example: 'zwx ghost,'.")
                self.after = field("Add at the end", "after", "For example: ', night'.")
            with gr.Row():
                self.preview = gr.Button("Preview", elem_id="darkroom_tools_preview")
                self.apply = gr.Button("Apply", elem_id="darkroom_tools_apply")
                self.undo = gr.Button("Undo", elem_id="darkroom_tools_undo")
                self.count = gr.Button("Count tags", elem_id="darkroom_tools_tags")
            names = host.captioners()
            with gr.Row(visible=bool(names)) as self.describing:
                self.how = unsaved(gr.Dropdown(choices=list(names), value=next(iter(names), None), label="Describe with",
                                               elem_id="darkroom_describe_how", info="The WebUI's own interrogators."))
                self.which = unsaved(gr.Dropdown(choices=[EMPTY, ALL], value=EMPTY, label="Which pictures",
                                                 elem_id="darkroom_describe_which"))
                self.describe = gr.Button("Describe", elem_id="darkroom_describe")
            self.answer = gr.HTML(elem_id="darkroom_tools_answer")

    def wire(self, everything: set[Any], settled: Settled, current: Callable[[dict, Run], Concept], pictures: Any) -> None:
        """current: the concept that the page shows; pictures: the panel whose gallery follows."""
        self.settled, self.current, self.pictures = settled, current, pictures
        known = {*everything, self.find, self.replace, self.before, self.after}
        after = [self.answer, self.undoable, *pictures.outputs()]
        self.preview.click(self.previewed, known, [self.answer], queue=False)
        self.apply.click(self.applied, known, after, queue=False)
        self.undo.click(self.undone, {*everything, self.undoable}, after, queue=False)
        self.count.click(self.counted, everything, [self.answer], queue=False)
        self.describe.click(self.described, {*everything, self.how, self.which}, after)

    def edit(self, data: dict) -> Edit:
        return Edit(*(data[one] or "" for one in (self.find, self.replace, self.before, self.after)))

    def changes(self, data: dict) -> list[Change]:
        return caption_tools.changes(self.current(data, self.settled(data)), self.edit(data))

    def previewed(self, data: dict) -> str:
        try:
            return listed(self.changes(data), "{} would change.")
        except DarkroomError as error:
            return message(str(error))

    def applied(self, data: dict) -> list[Any]:
        """What was written before an error can be undone too."""
        made: list[Change] = []
        try:
            for change in caption_tools.apply(self.changes(data)):
                made.append(change)
            said = listed(made, "{} changed.")
        except DarkroomError as error:
            said = message(str(error))
        return [said, made or gr.update(), *self.gallery(data)]

    def undone(self, data: dict) -> list[Any]:
        left = list(data[self.undoable])
        said = message(f"Restored {counted(len(left), 'caption')}." if left else "There is nothing to undo.", good=bool(left))
        try:
            for change in caption_tools.undo(data[self.undoable]):
                left.remove(change)
        except DarkroomError as error:
            said = message(str(error))
        return [said, left, *self.gallery(data)]

    def gallery(self, data: dict) -> list[Any]:
        """Updates of the pictures above; none while they cannot be shown, as when another concept has no folder yet."""
        try:
            return self.pictures.all(self.settled(data))
        except DarkroomError:
            return [gr.update() for _ in self.pictures.outputs()]

    def counted(self, data: dict) -> str:
        """Every tag with its number, and how shuffling may show a caption."""
        try:
            run = self.settled(data)
            texts = list(caption_tools.captions_in(self.current(data, run)).values())
        except DarkroomError as error:
            return message(str(error))
        found = caption_tools.tags(texts)
        chips = "".join(f'<span class="darkroom-tag" translate="no">{escape(tag)} <b>{n}</b></span>'
                        for tag, n in found.most_common(TAGS))
        longest = max(texts, key=lambda text: text.count(","), default="")
        shuffles = "".join(f"<li>{escape(text)}</li>" for text in caption_tools.shuffles(longest, run.data.keep_first))
        note = "as training will use it" if run.data.shuffle_captions else "as it would look with Shuffle captions on"
        return (f'<div class="darkroom-tags">{chips}</div><div class="darkroom-faint">Shuffled, {note} '
                f'(the first {run.data.keep_first} stay):</div><ul translate="no">{shuffles}</ul>')

    # ---- the host's interrogators

    def described(self, data: dict) -> Iterator[list[Any]]:
        """Writes a caption beside each picture as it is made, so that interrupting loses none."""
        made: list[Change] = []
        quiet = [gr.update() for _ in self.pictures.outputs()]
        try:
            if jobs.running_job():
                raise FolderError("Something is being trained. Describe pictures when it is done.")
            run = self.settled(data)
            root = root_of(self.current(data, run))
            chosen = [p for p in pictures_in(root) if data[self.which] == ALL or not written_caption(p)]
            for path, text in zip(chosen, self.host.caption(data[self.how], (load(p) for p in chosen))):
                if text:  # a describer may find nothing to say
                    before, said = caption_file(path), written_caption(path)
                    write_caption(path, text)
                    made.append(Change(path, before, said or "", text))
                yield [message(f"{len(made)} of {len(chosen)} described.", good=True), made, *quiet]
            yield [listed(made, "{} described."), made, *self.gallery(data)]
        except DarkroomError as error:
            yield [message(str(error)), made, *quiet]


def field(label: str, name: str, info: str) -> Any:
    return unsaved(gr.Textbox(label=label, info=info, max_lines=1, elem_id=f"darkroom_tools_{name}"))


def listed(made: list[Change], what: str) -> str:
    """Some of the changes, before and after. what: a sentence with {} for their number."""
    if not made:
        return message("No caption matches, so nothing changes.")
    shown = ((change.path.name, change.said, change.says) for change in made[:SHOWN])
    rows = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in texts)}</tr>" for texts in shown)
    more = f'<div class="darkroom-faint">and {len(made) - SHOWN} more</div>' if len(made) > SHOWN else ""
    head = "<thead><tr><th>Picture</th><th>Before</th><th>After</th></tr></thead>"
    return (f'<div class="darkroom-figures">{what.format(counted(len(made), "caption"))}</div><div class="darkroom-wide">'
            f'<table class="darkroom-check-table darkroom-check-changes">{head}<tbody translate="no">{rows}</tbody></table></div>'
            f"{more}")
