"""The Compare tab: weight against training step in a grid, drawn, kept, and its best cell put to use."""

import threading
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from ...compare import best, saved_grids
from ...compare.grid import Plan, seeds, weights
from ...compare.saved_grids import Kept, NoGrid
from ...compare.series import Series, found
from ...config.presets import drawing_run
from ...config.run import Run
from ...data.folder import find_all
from ...errors import DarkroomError
from ...export.products import output_files
from ...host import Host, Picture
from ...runs import job as jobs
from ...settings import SettingError
from ...support.disk import checked_file_name
from ...workspaces import workspace
from ..panels.widgets import NAMES, refresh_button, unsaved
from ..views import grid_view
from ..views.job_view import bar, message


class CompareTab:
    def __init__(self, host: Host):
        self.host = host
        self.cancelled = threading.Event()  # of the grid that was begun last
        suits = drawing_run(host)
        with gr.Row():
            with gr.Column(scale=3):
                with gr.Row():
                    self.name = gr.Dropdown(choices=self.names(), label="File", elem_id="darkroom_compare_name",
                                            info="All its copies are compared, by training step.", elem_classes=[NAMES])
                    self.refresh = refresh_button("darkroom_refresh_loras")
                self.prompts = gr.Textbox(label="Prompts", lines=2, info="One per line, without the tag.",
                                          elem_id="darkroom_compare_prompts")
                with gr.Row():
                    self.weights = gr.Textbox(label="Weights", value="0, 0.25, 0.5, 0.75, 1", elem_id="darkroom_compare_weights",
                                              info="0 is the checkpoint without the file.")
                    self.seeds = gr.Textbox(label="Seeds", value="1", elem_id="darkroom_compare_seeds",
                                            info="Numbers, separated by commas.")
            with gr.Column(scale=2):
                self.negative = gr.Textbox(label="Negative prompt", elem_id="darkroom_compare_negative")
                self.steps = gr.Slider(1, 150, value=20, step=1, label="Sampling steps", elem_id="darkroom_compare_steps")
                with gr.Row():
                    self.cfg = gr.Slider(1, 30, value=suits.previews.cfg, step=0.5, label="CFG scale",
                                         elem_id="darkroom_compare_cfg")
                    self.size = gr.Slider(64, 1024, value=suits.data.resolution, step=64, label="Size",
                                          elem_id="darkroom_compare_size")
                self.earlier = gr.Dropdown(choices=[], label="Earlier grids", elem_id="darkroom_compare_earlier",
                                           info="Every grid is kept in the workspace, with its pictures.", elem_classes=[NAMES])
        with gr.Row():
            self.go = gr.Button("Compare", variant="primary", elem_id="darkroom_compare")
            self.cancel = gr.Button("Cancel", elem_id="darkroom_compare_cancel")
            self.learned = gr.Button("Compare what was learned", elem_id="darkroom_compare_learned")
        self.progress = gr.HTML(elem_id="darkroom_compare_progress")
        with gr.Row():
            with gr.Column(scale=5):
                self.grid = gr.HTML(elem_id="darkroom_grid")
            with gr.Column(scale=2, min_width=300):
                self.answer = gr.HTML(elem_id="darkroom_compare_answer")
                self.chosen = gr.HTML(elem_id="darkroom_chosen")
                with gr.Row(elem_id="darkroom_compare_use"):  # shown with a chosen picture
                    self.send = gr.Button(SEND.get(host.name, "Send to txt2img"), elem_id="darkroom_compare_send")
                    self.undo = gr.Button("Restore the card", elem_id="darkroom_compare_undo")
        # javascript/darkroom_compare.js writes "workspace/grid/number" of the clicked cell here and presses the button.
        self.cell = gr.Textbox(label="Cell", elem_id="darkroom_cell", elem_classes=["darkroom-hidden"])
        self.choose = gr.Button("choose", elem_id="darkroom_choose", elem_classes=["darkroom-hidden"])
        self.ready = gr.State(False)  # whether what was learned can be compared
        self.inputs = [self.name, self.prompts, self.weights, self.seeds, self.negative, self.steps, self.cfg, self.size]
        for made in (*self.inputs, self.earlier, self.cell):
            unsaved(made)

    def wire(self, space: Any, entering: Any, tabs: Any, learned: list[Any]) -> None:
        """space: the component with the workspace's name; learned: buttons that compare what the last run learned."""
        shown = [self.progress, self.grid, self.chosen, self.answer, self.cell, self.earlier]
        for event in (self.refresh.click, entering.click):
            event(self.listed, [space], [self.name, self.earlier], queue=False)
        space.change(self.changed, [space], [self.name, self.earlier], queue=False)
        self.go.click(self.compared, [space, *self.inputs], shown)
        self.cancel.click(self.stop, None, [self.progress], queue=False)
        self.earlier.input(self.shown_again, [space, self.earlier], shown[:-1], queue=False)
        self.choose.click(self.chose, [self.cell], [self.grid, self.chosen, self.answer], queue=False)
        self.undo.click(self.undone, [self.cell], [self.grid, self.answer], queue=False)
        for button in learned:
            filled = button.click(self.prepared, [space], [self.ready, tabs, self.progress, *self.inputs], queue=False)
            filled.then(self.compared_if, [self.ready, space, *self.inputs], shown)

    # ---- what there is

    def library(self) -> tuple[Series, ...]:
        return found(self.host.folders)

    def names(self) -> list[str]:
        return [series.label for series in self.library()]

    def root(self, space: str | None) -> Path:
        return self.host.folders.workspaces / checked_file_name(space or workspace.COMPARED, "workspace's name")

    def listed(self, space: str | None) -> tuple[Any, Any]:
        return gr.update(choices=self.names()), gr.update(choices=saved_grids.listed(self.root(space)), value=None)

    def changed(self, space: str | None) -> tuple[Any, Any]:
        """The lists of another workspace; the file that it left is chosen, where it left one."""
        names, earlier = self.listed(space)
        try:
            return {**names, "value": self.name_of(self.run_of(space))}, earlier
        except DarkroomError:
            return names, earlier

    # ---- drawing

    def prepared(self, space: str | None) -> list[Any]:
        """Whether it can be compared, and the tab filled in for what the last run learned and brought to the front."""
        front = gr.update(selected=TAB)
        try:
            self.require_free()
            run = self.run_of(space)
            values = [self.name_of(run), *suiting(run)]
        except DarkroomError as error:
            return [False, front, message(str(error)), gr.update(value=None), *[gr.update()] * (len(self.inputs) - 1)]
        return [True, front, bar(0.0), gr.update(choices=self.names(), value=values[0]), *values[1:]]

    def require_free(self) -> None:
        """Raises SettingError while something is trained."""
        job = jobs.running_job()
        if job and not job.paused:
            raise SettingError(f"{job.run.output.name} is being trained. Pause it, or wait until it is done.")

    def run_of(self, space: str | None) -> Run:
        """The last of the workspace, where the grid will be kept too. Raises SettingError."""
        if not space:
            raise SettingError("Nothing has been trained yet.")
        folder = self.root(space)
        job = next((job for job in reversed(jobs.jobs) if job.workspace.folder == folder), None)
        if job:
            return job.run  # whose name may have a version behind it
        return workspace.open_workspace(self.host.folders.workspaces, space).read_run()

    def drawn_as(self, space: str | None) -> Run:
        """The run whose sampler and clip skip a grid takes: the workspace's, else what suits the checkpoint."""
        try:
            return self.run_of(space)
        except DarkroomError:
            return drawing_run(self.host)

    def name_of(self, run: Run) -> str:
        """What the file that a run leaves is called in the list. Raises SettingError."""
        library = self.library()
        for part in output_files(run):
            for series in library:
                if (series.kind, series.name) == (part.kind, part.stems(run)[0]):
                    return series.label
        if run.method.product.is_checkpoint:
            raise SettingError(f"{run.method.title} writes whole checkpoints, which have no weight. Compare them with "
                               "'Checkpoint name' in the X/Y/Z plot.")
        raise SettingError(f"There is no file of {run.output.name} yet. Train it first.")

    def compared_if(self, ready: bool, *asked: Any) -> Iterator[tuple[Any, ...]]:
        """What prepared() has said against it stays on the page."""
        yield from self.compared(*asked) if ready else [(gr.update(),) * 6]

    def compared(self, space: str | None, name: str | None, prompts: str, weight_text: str, seed_text: str, negative: str,
                 steps: float, cfg: float, size: float) -> Iterator[tuple[Any, ...]]:
        """Yields the progress line, the grid, the chosen picture, the answer, the chosen cell and the list of grids."""
        same = gr.update()
        if not name:
            yield message("Choose a file to compare first."), *[same] * 5
            return
        cancelled = self.cancelled = threading.Event()
        try:
            if space:
                workspace.open_workspace(self.host.folders.workspaces, space)  # another page may have deleted it
            run = self.drawn_as(space)
            picture = Picture("", negative=negative, steps=int(steps), cfg=cfg, width=int(size), height=int(size),
                              sampler=run.previews.sampler, clip_skip=run.data.clip_skip)
            plan = Plan(self.series(name), weights(weight_text),
                        tuple(dict.fromkeys(p.strip() for p in prompts.splitlines() if p.strip())) or ("",), seeds(seed_text),
                        picture)
            root, share, grid = self.root(space), 0.0, None
            for share, grid in saved_grids.drawing(plan, self.host, root, cancelled.is_set):
                yield drawing_line(share), grid_view.table(grid), "", "", "", same
            said = DONE if share == 1 else "Stopped. The finished pictures are kept."
            yield message(said, good=True), *[same] * 4, gr.update(choices=saved_grids.listed(root), value=None)
        except DarkroomError as error:
            yield message(str(error)), *[same] * 5

    def series(self, label: str) -> Series:
        """Raises NoGrid."""
        for series in self.library():
            if series.label == label:
                return series
        raise NoGrid(f"The file {label} no longer exists. Press 🔄 and choose again.")

    def stop(self) -> str:
        self.cancelled.set()
        return message("Stopping after the current pictures.", good=True)

    # ---- looking and choosing

    def shown_again(self, space: str | None, name: str | None) -> tuple[str, str, str, str, str]:
        try:
            grid = saved_grids.read(self.root(space) / saved_grids.GRIDS / checked_file_name(name or "", "grid's name"))
            table = grid_view.table(grid)
            full = grid_view.chosen(grid, grid.best) if grid.best >= 0 else ""
        except DarkroomError as error:
            return message(str(error)), "", "", "", ""
        return "", table, full, "", f"{self.root(space).name}/{grid.folder.name}/{grid.best}" if full else ""

    def at(self, cell: str) -> tuple[Kept, int]:
        """The grid and the number of "workspace/grid/number". Raises NoGrid, NameProblem."""
        parts = (cell or "").split("/")
        if len(parts) != 3 or not parts[2].isdigit():
            raise NoGrid("Click a picture in the grid first.")
        return saved_grids.read(self.root(parts[0]) / saved_grids.GRIDS / checked_file_name(parts[1], "grid's name")), int(parts[2])

    def chose(self, cell: str) -> tuple[Any, Any, str]:
        """The clicked cell becomes the best: its file's card takes its weight, picture and words."""
        try:
            grid, number = self.at(cell)
            grid, made = best.choose(grid, number, self.host.folders)
            table, full = grid_view.table(grid), grid_view.chosen(grid, number)
        except DarkroomError as error:
            return gr.update(), gr.update(), message(str(error))
        return table, full, answer(made)

    def undone(self, cell: str) -> tuple[Any, str]:
        try:
            grid, _ = self.at(cell)
            back = best.put_back(grid, self.host.folders)
            table = grid_view.table(saved_grids.read(grid.folder))
        except DarkroomError as error:
            return gr.update(), message(str(error))
        said = "The card is as it was before you used this grid." if back else "No card was changed with this grid."
        return table, message(said, good=True)


TAB = "compare"  # the tab's id
DONE = "Done. Click the picture you like best: its weight, picture and words are saved in the file's card."
SEND = {"standalone": "Send to Generate"}


def answer(made: best.Card | None) -> str:
    if made is None:
        return message("This is the checkpoint without the file. Click another picture to choose a weight.")
    return message(f"The card of {made.file.stem} now has this picture, the preferred weight {made.weight:g} and the words: "
                   f"{made.words}", good=True)


def drawing_line(share: float) -> str:
    job = jobs.running_job()
    waiting = f" {job.run.output.name} is being trained; the pictures are drawn when the model is free." if job else ""
    return bar(share, "The grid's progress") + f'<div class="darkroom-figures">Drawing the grid.{escape(waiting)}</div>'


def suiting(run: Run) -> list[Any]:
    """Prompts, weights, seeds and how to draw, as the run's previews were drawn."""
    wanted, size = run.previews, run.data.resolution // 64 * 64 or 64
    prompts = wanted.prompts or tuple(item.prompt for found_ in find_all(run) for item in found_.items)[:1]
    return ["\n".join(prompts), "0, 0.25, 0.5, 0.75, 1", str(wanted.preview_seed), "", wanted.preview_steps, wanted.cfg, size]
