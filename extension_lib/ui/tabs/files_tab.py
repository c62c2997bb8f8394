"""The Files tab: what a LoRA file is, whoever wrote it, its words, and new files that are made of it."""

from collections.abc import Iterator
from typing import Any, ClassVar

import gradio as gr

from ...errors import DarkroomError
from ...host import Host
from ...methods.base import PRECISIONS
from ..panels.file_tools import AS_IT_IS, ENERGY, ERROR, FULL, LAYOUTS, RANK, TOOLS, Asked, FileTools
from ..panels.widgets import NAMES, refresh_button, unsaved
from ..views import files_view
from ..views.job_view import message

FIRST = next(iter(TOOLS))


class FilesTab:
    nothing: ClassVar[dict[str, Any]] = {"amount": None, "weight": 1.0}  # what an empty field means; others are ""

    def __init__(self, host: Host):
        self.host, self.tools = host, FileTools(host)
        with gr.Row():
            self.file = gr.Dropdown(choices=self.tools.files(), value=None, label="LoRA file",
                                    elem_id="darkroom_files_file", elem_classes=[NAMES],
                                    info="Of any program: LoRA and its relatives.")
            self.base = gr.Dropdown(choices=self.checkpoints(), value=None, label="Checkpoint",
                                    elem_id="darkroom_files_base", elem_classes=[NAMES],
                                    info="Needed for kinds that multiply its weights, to merge and to extract.")
            self.refresh = refresh_button("darkroom_files_refresh")
        with gr.Row():
            self.describe = gr.Button("Describe", elem_id="darkroom_files_describe")
            self.check = gr.Button("Look for faults", elem_id="darkroom_files_check")
        self.answer = gr.HTML(elem_id="darkroom_files_answer")
        self.about = gr.HTML(elem_id="darkroom_files_about")
        self.draw_words()
        self.draw_tools()
        for field in (self.file, self.base, self.name, self.words, self.notes, self.weight, self.tool,
                      *self.fields.values()):
            unsaved(field)
        self.wire()

    def draw_words(self) -> None:
        with gr.Accordion("Name, words and notes", open=False, elem_id="darkroom_files_words_part"):
            with gr.Row():
                self.name = gr.Textbox(label="Name", elem_id="darkroom_files_name", max_lines=1)
                self.words = gr.Textbox(label="Words to type", elem_id="darkroom_files_words", max_lines=1)
                self.weight = gr.Number(label="Preferred weight", value=None, elem_id="darkroom_files_preferred")
            self.notes = gr.Textbox(label="Notes", lines=2, elem_id="darkroom_files_notes")
            self.save = gr.Button("Save name, words and notes", elem_id="darkroom_files_save")

    def draw_tools(self) -> None:
        with gr.Accordion("Make a new file", open=True, elem_id="darkroom_files_make_part"):
            self.tool = gr.Radio(choices=list(TOOLS), value=FIRST, label="Tool", elem_id="darkroom_files_tool")
            shown = TOOLS[FIRST][1]

            def drawn(kind: Any, name: str, **told: Any) -> Any:
                return kind(elem_id=f"darkroom_files_{name}", visible=name in shown, **told)

            with gr.Row():
                weight = drawn(gr.Number, "weight", value=1.0, label="Weight", info="Below 0 subtracts.")
                blocks = drawn(gr.Textbox, "blocks", label="Weights of blocks", max_lines=1,
                               info="IN04:0.5, MID:0, or a row of numbers as the lbw tag takes it. Empty: all 1.")
                others = drawn(gr.Textbox, "others", label="Other files", lines=2,
                               info="One per line, with a weight: ghost:0.5.")
            with gr.Row():
                keep = drawn(gr.Dropdown, "keep", choices=[RANK, ENERGY, ERROR, FULL], value=RANK, label="Keep by",
                             info="Singular values that are kept; the error that this makes is told.")
                amount = drawn(gr.Number, "amount", value=16, label="How much")
                tuned = drawn(gr.Dropdown, "tuned", choices=self.checkpoints(), value=None,
                              label="Trained checkpoint", elem_classes=[NAMES])
                layout = drawn(gr.Dropdown, "layout", choices=list(LAYOUTS), value=next(iter(LAYOUTS)), label="Layout")
                precision = drawn(gr.Dropdown, "precision", choices=[AS_IT_IS, *PRECISIONS], value=AS_IT_IS,
                                  label="Number format")
            with gr.Row():
                name = gr.Textbox(label="New file", max_lines=1, elem_id="darkroom_files_new")
                replace = gr.Checkbox(label="Replace a file of that name", value=False,
                                      elem_id="darkroom_files_replace")
            with gr.Row():
                self.make = gr.Button("Make the file", variant="primary", elem_id="darkroom_files_make")
                self.cancel = gr.Button("Cancel", elem_id="darkroom_files_cancel")
        self.fields = {"others": others, "weight": weight, "blocks": blocks, "keep": keep, "amount": amount,
                       "tuned": tuned, "layout": layout, "precision": precision, "name": name, "replace": replace}

    def wire(self) -> None:
        inputs, outputs = [self.file, self.base], [self.answer, self.about]
        self.refresh.click(self.list_files, None, [self.file, self.base, self.fields["tuned"]], queue=False)
        described = self.describe.click(self.tell, inputs, outputs)
        checked = self.check.click(self.look, inputs, outputs)
        self.file.input(self.read_words, [self.file], [self.name, self.words, self.weight, self.notes], queue=False)
        self.save.click(self.save_words, [self.file, self.name, self.words, self.weight, self.notes],
                        [self.answer, self.file], queue=False)
        self.tool.input(self.show_fields, [self.tool], list(self.fields.values())[:-2], queue=False)
        made = self.make.click(self.run_tool, [self.tool, *inputs, *self.fields.values()], [self.answer, self.file])
        self.cancel.click(lambda: message("Cancelled. No file was written.", good=True), None, [self.answer],
                          cancels=[described, checked, made], queue=False)

    def checkpoints(self) -> list[str]:
        return [checkpoint.title for checkpoint in self.host.checkpoints()]

    def list_files(self) -> tuple[Any, Any, Any]:
        titles = self.checkpoints()
        return gr.update(choices=self.tools.files()), gr.update(choices=titles), gr.update(choices=titles)

    def show_fields(self, tool: str) -> list[Any]:
        """Those that the tool needs."""
        return [gr.update(visible=name in TOOLS[tool][1]) for name in list(self.fields)[:-2]]

    def tell(self, file: str | None, base: str | None) -> Iterator[tuple[Any, Any]]:
        from ...files.describe import describe

        try:
            found = yield from self.shown(describe(self.tools.path(file), self.tools.checkpoint(base)))
            yield "", files_view.description(found)
        except DarkroomError as error:
            yield message(str(error)), gr.update()

    def look(self, file: str | None, base: str | None) -> Iterator[tuple[Any, Any]]:
        from ...files.check import check

        try:
            found = yield from self.shown(check(self.tools.path(file), self.tools.checkpoint(base)))
            yield files_view.findings(found), gr.update()
        except DarkroomError as error:
            yield message(str(error)), gr.update()

    def shown(self, tool: Any) -> Any:
        """Yields how far a tool is; its result is the tool's."""
        from ...files.progress import now_and_then

        told = now_and_then(tool)
        while True:
            try:
                yield files_view.progress_line(next(told)), gr.update()
            except StopIteration as end:
                return end.value

    def run_tool(self, tool: str, file: str | None, base: str | None, *fields: Any) -> Iterator[tuple[Any, Any]]:
        try:
            told: dict[str, Any] = {name: self.nothing.get(name, "") if value is None else value
                                    for name, value in zip(self.fields, fields)}
            asked = Asked(file or "", base or "", **told)
            made, sentence = TOOLS[tool][0](self.tools, asked)
            result = yield from self.shown(made)
            self.host.refresh()
            yield message(sentence(result), good=True), gr.update(choices=self.tools.files())
        except DarkroomError as error:
            yield message(str(error)), gr.update()

    def read_words(self, file: str | None) -> tuple[Any, Any, Any, Any]:
        """Name, words, weight and notes of a file."""
        from ...files.edit import read_words

        try:
            said = read_words(self.tools.path(file))
        except DarkroomError:
            return "", "", None, ""
        return said.name, said.words, said.weight, said.notes

    def save_words(self, file: str | None, name: str, words: str, weight: float | None, notes: str) -> tuple[Any, Any]:
        from ...files.edit import Edit, edit

        try:
            path = edit(Edit(self.tools.path(file), name, words, notes, weight))
        except DarkroomError as error:
            return message(str(error)), gr.update()
        self.host.refresh()
        chosen = path.relative_to(self.host.folders.lora).as_posix()
        return message(f"Saved in {path.name} and on its card.", good=True), gr.update(choices=self.tools.files(),
                                                                                      value=chosen)
