"""The Compare tab: draws a grid of weights and training steps, keeps it, and saves its best cell in the file's card."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from ...compare import best, saved_grids
from ...compare.grid import GridPlan, parse_seeds, parse_weights
from ...compare.saved_grids import NoGrid, SavedGrid
from ...compare.series import Series, find_series
from ...config.presets import drawing_run
from ...config.run import Run
from ...data.folder import find_all_pictures
from ...data.limits import within_limits
from ...errors import DarkroomError
from ...export.products import output_files
from ...host import Host, Picture, require_drawable
from ...runs import job as jobs
from ...settings import SettingError
from ...workspaces import workspace
from ..panels.widgets import NAMES, refresh_button, unsaved
from ..views import grid_view
from ..views.html import html
from ..views.job_view import bar, message


class CompareTab:
    def __init__(self, host: Host):
        self.host = host
        self.cancelled = threading.Event()  # set to stop the newest grid
        defaults = drawing_run(host)
        with gr.Row():
            with gr.Column(scale=3):
                with gr.Row():
                    self.name = gr.Dropdown(choices=self.labels(), label="File", elem_id="darkroom_compare_name",
                                            info="All its copies are compared, by training step.", elem_classes=[NAMES])
                    self.refresh = refresh_button("darkroom_refresh_loras")
                self.prompts = gr.Textbox(label="Prompts", lines=2, info="One per line, without the tag.",
                                          elem_id="darkroom_compare_prompts")
                with gr.Row():
                    self.weights = gr.Textbox(label="Weights", value=WEIGHTS, elem_id="darkroom_compare_weights",
                                              info="0 is the checkpoint without the file.")
                    self.seeds = gr.Textbox(label="Seeds", value="1", elem_id="darkroom_compare_seeds",
                                            info="Numbers, separated by commas.")
            with gr.Column(scale=2):
                self.negative = gr.Textbox(label="Negative prompt", elem_id="darkroom_compare_negative")
                self.steps = gr.Slider(1, 150, value=20, step=1, label="Sampling steps",
                                       elem_id="darkroom_compare_steps")
                with gr.Row():
                    self.cfg = gr.Slider(1, 30, value=defaults.previews.cfg, step=0.5, label="CFG scale",
                                         elem_id="darkroom_compare_cfg")
                    self.size = gr.Slider(64, 2048, value=defaults.data.resolution, step=64, label="Size",
                                          elem_id="darkroom_compare_size")
                self.earlier_grids = gr.Dropdown(choices=[], label="Earlier grids", elem_id="darkroom_compare_earlier",
                                                 elem_classes=[NAMES],
                                                 info="Every grid is kept in the workspace, with its pictures.")
        with gr.Row():
            self.start = gr.Button("Compare", variant="primary", elem_id="darkroom_compare")
            self.cancel = gr.Button("Cancel", elem_id="darkroom_compare_cancel")
            self.compare_learned = gr.Button("Compare what was learned", elem_id="darkroom_compare_learned")
        self.progress = gr.HTML(elem_id="darkroom_compare_progress")
        with gr.Row():
            with gr.Column(scale=5):
                self.grid = gr.HTML(elem_id="darkroom_grid")
            with gr.Column(scale=2, min_width=300):
                self.answer = gr.HTML(elem_id="darkroom_compare_answer")
                self.chosen = gr.HTML(elem_id="darkroom_chosen")
                with gr.Row(elem_id="darkroom_compare_use"):  # visible while a picture is chosen
                    self.send = gr.Button(SEND.get(host.name, "Send to txt2img"), elem_id="darkroom_compare_send")
                    self.undo = gr.Button("Restore the card", elem_id="darkroom_compare_undo")
        # javascript/darkroom_compare.js writes the clicked cell here, as "workspace/grid/number", and presses the
        # button.
        self.cell = gr.Textbox(label="Cell", elem_id="darkroom_cell", elem_classes=["darkroom-hidden"])
        self.choose = gr.Button("choose", elem_id="darkroom_choose", elem_classes=["darkroom-hidden"])
        self.ready = gr.State(False)  # whether what was learned can be compared
        self.inputs = [self.name, self.prompts, self.weights, self.seeds, self.negative, self.steps, self.cfg,
                       self.size]
        for field in (*self.inputs, self.earlier_grids, self.cell):
            unsaved(field)

    def wire(self, space: Any, enter: Any, tabs: Any, learned: list[Any]) -> None:
        """space: the component with the workspace's name; learned: buttons that compare what the last run learned."""
        shown = [self.progress, self.grid, self.chosen, self.answer, self.cell, self.earlier_grids]
        for event in (self.refresh.click, enter.click):
            event(self.list_files_and_grids, [space], [self.name, self.earlier_grids], queue=False)
        space.change(self.change_workspace, [space], [self.name, self.earlier_grids], queue=False)
        self.start.click(self.compare_files, [space, *self.inputs], shown)
        self.cancel.click(self.stop, None, [self.progress], queue=False)
        self.earlier_grids.input(self.show_saved_grid, [space, self.earlier_grids], shown[:-1], queue=False)
        self.choose.click(self.choose_cell, [self.cell], [self.grid, self.chosen, self.answer], queue=False)
        self.undo.click(self.restore_card, [self.cell], [self.grid, self.answer], queue=False)
        for button in learned:
            filled = button.click(self.prepare, [space], [self.ready, tabs, self.progress, *self.inputs], queue=False)
            filled.then(self.compare_if_ready, [self.ready, space, *self.inputs], shown)

    # ---- files and grids

    def all_series(self) -> tuple[Series, ...]:
        return find_series(self.host.folders)

    def labels(self) -> list[str]:
        return [series.label for series in self.all_series()]

    def workspace_folder(self, space: str | None) -> Path:
        return workspace.folder_in(self.host.folders.workspaces, space or workspace.COMPARED, "workspace's name")

    def list_files_and_grids(self, space: str | None) -> tuple[Any, Any]:
        grids = saved_grids.grid_names(self.workspace_folder(space))
        return gr.update(choices=self.labels()), gr.update(choices=grids, value=None)

    def change_workspace(self, space: str | None) -> tuple[Any, Any]:
        """The lists for another workspace, with its newest file chosen, if there is one."""
        names, earlier = self.list_files_and_grids(space)
        try:
            return {**names, "value": self.label_of(self.last_run(space))}, earlier
        except DarkroomError:
            return names, earlier

    # ---- drawing

    def prepare(self, space: str | None) -> list[Any]:
        """Shows this tab, filled in for the last run. The first value says whether its file can be compared."""
        front = gr.update(selected=TAB)
        try:
            self.require_free()
            run = self.last_run(space)
            values = [self.label_of(run), *preview_settings(run)]
        except DarkroomError as error:
            return [False, front, message(str(error)), gr.update(value=None), *[gr.update()] * (len(self.inputs) - 1)]
        return [True, front, bar(0.0), gr.update(choices=self.labels(), value=values[0]), *values[1:]]

    def require_free(self) -> None:
        """Raises SettingError while something is trained."""
        job = jobs.running_job()
        if job and not job.paused:
            raise SettingError(f"{job.run.output.name} is being trained. Pause it, or wait until it is done.")

    def last_run(self, space: str | None) -> Run:
        """The last run of the workspace. Raises SettingError, FolderError."""
        if not space:
            raise SettingError("Nothing has been trained yet.")
        folder = self.workspace_folder(space)
        job = next((job for job in reversed(jobs.jobs) if job.workspace.folder == folder), None)
        if job:
            return job.run  # its name may end in a version
        run = workspace.open_workspace(self.host.folders.workspaces, space).read_run()
        return within_limits(run, self.host.folders)

    def drawing_settings(self, space: str | None) -> Run:
        """The run whose sampler and clip skip a grid uses: the workspace's, or one that suits the checkpoint."""
        try:
            return self.last_run(space)
        except DarkroomError:
            return drawing_run(self.host)

    def label_of(self, run: Run) -> str:
        """The label of the run's file in the list of files. Raises SettingError."""
        library = self.all_series()
        for part in output_files(run):
            for series in library:
                if (series.kind, series.name) == (part.kind, part.stems(run)[0]):
                    return series.label
        if run.method.product.is_checkpoint:
            raise SettingError(f"{run.method.title} writes whole checkpoints, which have no weight. Compare them with "
                               "'Checkpoint name' in the X/Y/Z plot.")
        raise SettingError(f"There is no file of {run.output.name} yet. Train it first.")

    def compare_if_ready(self, ready: bool, *inputs: Any) -> Iterator[tuple[Any, ...]]:
        """When it is not ready, the reason that prepare() gave stays on the page."""
        yield from self.compare_files(*inputs) if ready else [(gr.update(),) * 6]

    def compare_files(self, space: str | None, name: str | None, prompts: str, weight_text: str, seed_text: str,
                      negative: str, steps: float, cfg: float, size: float) -> Iterator[tuple[Any, ...]]:
        """Yields the progress line, the grid, the chosen picture, the answer, the chosen cell and the list of grids."""
        unchanged = gr.update()
        if not name:
            yield message("Choose a file to compare first."), *[unchanged] * 5
            return
        cancelled = self.cancelled = threading.Event()
        try:
            if space:
                workspace.open_workspace(self.host.folders.workspaces, space)  # another page may have deleted it
            run = self.drawing_settings(space)
            picture = require_drawable(
                Picture("", negative=negative, steps=int(steps), cfg=cfg, width=int(size), height=int(size),
                        sampler=run.previews.sampler, clip_skip=run.data.clip_skip))
            plan = GridPlan(self.find_series(name), parse_weights(weight_text),
                            unique_lines(prompts) or ("", ), parse_seeds(seed_text), picture)
            root, share, grid = self.workspace_folder(space), 0.0, None
            for share, grid in saved_grids.draw_saved_grid(plan, self.host, root, cancelled.is_set):
                yield progress_line(share), grid_view.grid_html(grid), "", "", "", unchanged
            answer = DONE if share == 1 else "Stopped. The finished pictures are kept."
            yield message(answer, good=True), *[unchanged] * 4, gr.update(choices=saved_grids.grid_names(root),
                                                                          value=None)
        except DarkroomError as error:
            yield message(str(error)), *[unchanged] * 5

    def find_series(self, label: str) -> Series:
        """Raises NoGrid."""
        for series in self.all_series():
            if series.label == label:
                return series
        raise NoGrid(f"The file {label} no longer exists. Press 🔄 and choose again.")

    def stop(self) -> str:
        self.cancelled.set()
        return message("Stopping after the current pictures.", good=True)

    # ---- earlier grids, and the choice of a cell

    def show_saved_grid(self, space: str | None, name: str | None) -> tuple[str, str, str, str, str]:
        try:
            grid = self.read_grid(space, name or "")
            table = grid_view.grid_html(grid)
            picture = grid_view.chosen_picture(grid, grid.best) if grid.best >= 0 else ""
        except DarkroomError as error:
            return message(str(error)), "", "", "", ""
        cell = f"{self.workspace_folder(space).name}/{grid.folder.name}/{grid.best}"
        return "", table, picture, "", cell if picture else ""

    def read_grid(self, space: str | None, name: str) -> SavedGrid:
        """Raises NoGrid, NameProblem."""
        return saved_grids.read_grid(
            workspace.folder_in(self.workspace_folder(space) / saved_grids.GRIDS, name, "grid's name"))

    def find_cell(self, cell: str) -> tuple[SavedGrid, int]:
        """The grid and the number of "workspace/grid/number". Raises NoGrid, NameProblem."""
        parts = (cell or "").split("/")
        if len(parts) != 3 or not parts[2].isdigit():
            raise NoGrid("Click a picture in the grid first.")
        return self.read_grid(parts[0], parts[1]), int(parts[2])

    def choose_cell(self, cell: str) -> tuple[Any, Any, str]:
        """Makes the clicked cell the best: its weight, picture and words go into the file's card."""
        try:
            grid, number = self.find_cell(cell)
            grid, card = best.choose_best(grid, number, self.host.folders)
            table, picture = grid_view.grid_html(grid), grid_view.chosen_picture(grid, number)
        except DarkroomError as error:
            return gr.update(), gr.update(), message(str(error))
        return table, picture, card_message(card)

    def restore_card(self, cell: str) -> tuple[Any, str]:
        try:
            grid, _ = self.find_cell(cell)
            restored = best.restore_cards(grid, self.host.folders)
            table = grid_view.grid_html(saved_grids.read_grid(grid.folder))
        except DarkroomError as error:
            return gr.update(), message(str(error))
        answer = ("The card is as it was before you used this grid." if restored
                  else "No card was changed with this grid.")
        return table, message(answer, good=True)


TAB = "compare"  # the tab's id
WEIGHTS = "0, 0.25, 0.5, 0.75, 1"
DONE = "Done. Click the picture you like best: its weight, picture and words are saved in the file's card."
SEND = {"standalone": "Send to Generate"}


def card_message(card: best.BestCard | None) -> Markup:
    if card is None:
        return message("This is the checkpoint without the file. Click another picture to choose a weight.")
    return message(f"The card of {card.file.stem} now has this picture, the preferred weight {card.weight:g} and the "
                   f"words: {card.words}", good=True)


def progress_line(share: float) -> Markup:
    job = jobs.running_job()
    waiting = f" {job.run.output.name} is being trained; the pictures are drawn when the model is free." if job else ""
    return html('{}<div class="darkroom-figures">Drawing the grid.{}</div>', bar(share, "The grid's progress"), waiting)


def unique_lines(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def preview_settings(run: Run) -> list[Any]:
    """Prompts, weights, seeds and drawing settings like those of the run's previews."""
    previews, size = run.previews, run.data.resolution // 64 * 64 or 64
    prompts = previews.prompts or tuple(item.prompt for concept in find_all_pictures(run) for item in concept.items)[:1]
    return ["\n".join(prompts), WEIGHTS, str(previews.preview_seed), "", previews.preview_steps, previews.cfg, size]
