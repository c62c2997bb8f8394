"""The Runs tab: the loss curves of several runs in one plot, also from several workspaces."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from ...host import Host
from ...workspaces.past import PastRun, logs_by_name, read_past_runs
from ..panels.widgets import NAMES, refresh_button, unsaved
from ..views.curve import Line, legend, smoothed, svg
from ..views.html import NOTHING, html, joined
from ..views.job_view import duration, message

FIXED, STEPS = "on fixed noise", "of each step, smoothed"
BY_STEP, BY_TIME = "steps", "minutes"
COLOURS, AT_FIRST = 8, 3  # the colours of style.css; the runs that are shown if none is chosen


class RunsTab:
    def __init__(self, host: Host):
        self.host = host
        with gr.Row():
            self.runs = gr.Dropdown(choices=self.run_names(), value=[], multiselect=True, label="Runs",
                                    elem_id="darkroom_runs", elem_classes=[NAMES],
                                    info="Workspace and number of each run, the newest first.")
            self.refresh = refresh_button("darkroom_refresh_runs")
        with gr.Row():
            self.loss = gr.Radio(choices=[FIXED, STEPS], value=FIXED, label="Loss", elem_id="darkroom_runs_loss",
                                 info="Use the loss on fixed noise to compare runs on the same pictures. The loss of "
                                      "single steps is mostly random.")
            self.along = gr.Radio(choices=[BY_STEP, BY_TIME], value=BY_STEP, label="Horizontal axis",
                                  elem_id="darkroom_runs_along")
        self.plot = gr.HTML(elem_id="darkroom_runs_plot")
        self.inputs: list[Any] = [self.runs, self.loss, self.along]
        for field in self.inputs:
            unsaved(field)
            field.input(self.draw, self.inputs, [self.plot], queue=False)
        self.refresh.click(self.list_runs, self.inputs, [self.runs, self.plot], queue=False)

    def run_names(self) -> list[str]:
        return list(logs_by_name(self.host.folders.workspaces))

    def list_runs(self, chosen: list[str] | None, loss: str, along: str) -> tuple[Any, str]:
        """Updates the list. If no run is chosen, chooses the newest."""
        names = self.run_names()
        shown = [name for name in chosen or [] if name in names] or names[:AT_FIRST]
        return gr.update(choices=names, value=shown), self.draw(shown, loss, along)

    def draw(self, chosen: list[str] | None, loss: str, along: str) -> str:
        runs, problems = read_past_runs(self.host.folders.workspaces, chosen or [])
        return joined([*map(message, problems), comparison(runs, loss, along)])


def comparison(runs: Sequence[PastRun], loss: str, along: str) -> Markup:
    """The plot and the table under it."""
    if not runs:
        return html(
            '<div class="darkroom-figures">Choose one or more runs. All runs of the Train tab are listed here.</div>')
    lines = [loss_line(run, n, loss, along) for n, run in enumerate(runs)]
    last = max((x for line in lines for x, _ in line.points), default=1)
    curves = svg(lines, last, f"Loss {loss} of {len(runs)} runs by {along}", width=1200, height=380)
    names = legend([(colour_class(n), run.name) for n, run in enumerate(runs)])
    return html('<div class="darkroom-live">{}{}{}{}</div>', warning(runs, loss), names, curves, runs_table(runs))


def colour_class(number: int) -> str:
    return f"run{number % COLOURS}"


def loss_line(run: PastRun, number: int, loss: str, along: str) -> Line:
    losses = run.measured if loss == FIXED else run.stepped
    values = [value for *_, value in losses]
    xs = [step if along == BY_STEP else minutes for step, minutes, _ in losses]
    return Line(colour_class(number), list(zip(xs, values if loss == FIXED else smoothed(values))), dots=loss == FIXED)


def warning(runs: Sequence[PastRun], loss: str) -> Markup:
    if loss == FIXED and (unmeasured := [run.name for run in runs if not run.measured]):
        return message(f"{', '.join(unmeasured)}: not measured on fixed noise (Advanced, 'Measure every N steps').")
    if loss == FIXED and len({(run.measured_on, run.held_out) for run in runs}) > 1:
        return message("These runs were measured on different pictures or sizes, so you can compare only the shapes of "
                       "their curves. To compare heights, train on the same folder with the same 'Pictures held out'.")
    return NOTHING


HEADS = ("run", "method", "steps", "time", "lowest loss", "at step", "last loss", "measured on", "how it ended")


def runs_table(runs: Sequence[PastRun]) -> Markup:
    heads = joined(html('<th scope="col">{}</th>', name) for name in HEADS)
    rows = joined(html('<tr><th scope="row"><i class="swatch {}"></i>{}</th>{}</tr>', colour_class(n), run.name,
                       joined(html("<td>{}</td>", cell) for cell in run_cells(run))) for n, run in enumerate(runs))
    return html('<table class="darkroom-copies"><tr>{}</tr>{}</table>', heads, rows)


def run_cells(run: PastRun) -> list[str]:
    lowest = run.lowest
    on = ("pictures held out" if run.held_out else "pictures trained on") if run.measured else ""
    return [run.run.method.title, str(run.stepped[-1][0]) if run.stepped else "0", duration(60 * run.minutes),
            f"{lowest[2]:.4f}" if lowest else "", str(lowest[0]) if lowest else "",
            f"{run.measured[-1][2]:.4f}" if run.measured else "", on, run.ended or "not ended"]
