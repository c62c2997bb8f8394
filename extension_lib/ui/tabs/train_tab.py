"""The Train tab: method, settings, start and stop, and what is going on."""

from typing import Any

import gradio as gr
from markupsafe import Markup

from ... import methods
from ...config.run import Run
from ...errors import DarkroomError
from ...host import Host
from ...runs import job as jobs
from ...runs import preferred
from ...runs.job import Job
from ..panels.changed_settings import ChangedSettings
from ..panels.continue_row import ContinueRow
from ..panels.form import Form
from ..panels.memory_row import MemoryRow
from ..panels.method_choice import method_radio
from ..panels.optimizer_row import OptimizerRow
from ..panels.preset_row import PresetRow
from ..panels.run_text import RunText
from ..panels.sweep_panel import SweepPanel
from ..panels.widgets import unsaved
from ..views.html import html
from ..views.job_view import message, panel
from ..views.preview_table import preview_table

BASIC_SECTIONS = (("Training", "training"), ("Pictures", "data"), ("Class pictures", "prior"), ("Saving", "saving"),
                  ("Previews", "previews"))
OTHER_SECTIONS = (("Noise and loss", "noise"),)


class TrainTab:
    """The form with all settings of a run, and the panel that follows the running job."""

    def __init__(self, host: Host):
        self.form = Form()
        with gr.Row():
            with gr.Column(scale=3, elem_id="darkroom_settings"):
                self.presets = PresetRow(host)
                first = Run().method.name
                self.method = unsaved(method_radio(first, "darkroom_method"))
                self.method_help = gr.HTML(method_help_html(first))
                self.changed = ChangedSettings()
                self.form.draw("output", only=["name"])
                self.form.draw_methods(first, advanced=False)
                for title, section in BASIC_SECTIONS:
                    with gr.Accordion(title, open=section == "training"):
                        if section == "training":
                            self.form.draw(section, only=["steps", "batch_size", "optimizer"])
                            self.optimizer = OptimizerRow()
                        self.form.draw(section, advanced=False)
                        if section == "training":
                            self.arithmetic = gr.HTML(elem_id="darkroom_arithmetic")
                with gr.Accordion("Advanced", open=False, elem_id="darkroom_advanced"):
                    self.form.draw_methods(first, advanced=True)
                    for title, section in (*OTHER_SECTIONS, *BASIC_SECTIONS):
                        gr.Markdown(f"**{title}**", elem_classes=["darkroom-heading"])
                        self.form.draw(section)
                    gr.Markdown("**Checkpoint**", elem_classes=["darkroom-heading"])
                    self.form.draw("base", only=["prediction"])
                self.text = RunText(self.presets)
            with gr.Column(scale=4):
                self.base = gr.HTML(elem_id="darkroom_base")
                self.describe = gr.Button("Write the .yaml file", visible=False, size="sm",
                                          elem_id="darkroom_write_yaml")
                with gr.Row():
                    self.train = gr.Button("Train", variant="primary", elem_id="darkroom_train")
                    self.add = gr.Button("Add to queue", elem_id="darkroom_add")
                self.sweep = SweepPanel(host)
                self.kept = ContinueRow()
                self.memory = MemoryRow()
                with gr.Row(elem_id="darkroom_while_running"):
                    self.pause = gr.Button(PAUSE, size="sm", min_width=80, interactive=False, elem_id="darkroom_pause")
                    self.save_now = gr.Button("Save now", size="sm", min_width=80, interactive=False,
                                              elem_id="darkroom_save_now")
                    self.stop = gr.Button("Stop and save", variant="stop", size="sm", min_width=80, interactive=False,
                                          elem_id="darkroom_stop")
                    self.discard = gr.Button(DISCARD, size="sm", min_width=80, interactive=False,
                                             elem_id="darkroom_discard")
                self.question = unsaved(gr.Radio(
                    choices=[], visible=False, elem_id="darkroom_question",
                    label="This was trained before, or the name is taken. Choose what to do, then press the same "
                          "button again."))
                self.answer = gr.HTML(elem_id="darkroom_answer")
                self.problems = gr.HTML(elem_id="darkroom_problems")
                self.live = gr.HTML(elem_id="darkroom_live")
                self.compare = gr.Button("Compare what was learned", elem_id="darkroom_learned")
                self.previews = gr.HTML(elem_id="darkroom_previews")
                # javascript/previews.js writes the step here whose star was pressed, and presses the button.
                self.star = unsaved(gr.Textbox(label="Star", elem_id="darkroom_star", elem_classes=["darkroom-hidden"]))
                self.prefer = gr.Button("prefer", elem_id="darkroom_prefer", elem_classes=["darkroom-hidden"])
                self.job_version = gr.State("")
                self.choices_shown = gr.State([])  # the choices of the question
                self.started = gr.State(None)  # the run that the last press of Train started
        self.wire()

    def wire(self) -> None:
        self.optimizer.wire(self.form.components["training", "optimizer"])
        self.pause.click(pause_or_resume, None, [self.answer], queue=False)
        self.save_now.click(save_now, None, [self.answer], queue=False)
        self.stop.click(stop, None, [self.answer], queue=False)
        self.prefer.click(prefer, [self.star], [self.answer, self.live, self.previews, self.job_version], queue=False)
        self.discard.click(discard, [self.discard], [self.answer, self.discard], queue=False)

    def base_outputs(self) -> list[Any]:
        """What says something of the checkpoint."""
        return [self.base, self.describe]

    def job_outputs(self) -> list[Any]:
        """What job_updates() may change."""
        return [self.live, self.previews, self.answer, self.job_version, self.pause, self.save_now, self.stop,
                self.discard]

    def job_updates(self, job: Job | None, page_version: str) -> dict[Any, Any]:
        """Updates that show a job; of its buttons and previews only if the job has changed since the page's version."""
        version = job_version(job)
        if version == page_version:
            return {self.live: panel(job) if job and not job.ended else gr.update()}
        running = bool(job and not job.ended)
        return {self.live: panel(job), self.job_version: version, self.previews: preview_table(job),
                **({self.answer: ""} if page_version else {}),
                self.pause: gr.update(value=CONTINUE if job and job.paused else PAUSE, interactive=running),
                self.discard: gr.update(value=DISCARD, interactive=running),
                **{button: gr.update(interactive=running) for button in (self.save_now, self.stop)}}


PAUSE, CONTINUE, DISCARD, CONFIRM = "Pause", "Continue", "Stop and discard", "Really discard?"
NO_JOB = "Nothing is being trained."


def job_version(job: Job | None) -> str:
    """What the page's buttons and previews depend on; it changes when they must."""
    if job is None:
        return "none"
    return (f"{job.created} {job.summary.previews.count} {job.summary.saves} {job.paused} {bool(job.ended)} "
            f"{job.preferred}")


def pause_or_resume() -> str:
    job = jobs.running_job()
    if job is None:
        return message(NO_JOB)
    if job.paused:
        job.resume()
        return message("Training continues as soon as the model is free.", good=True)
    job.pause()
    return message("Pausing after this step. The model is then free for txt2img.", good=True)


def save_now() -> str:
    job = jobs.running_job()
    if job is None:
        return message(NO_JOB)
    job.request_save()
    return message("Saving after the next step.", good=True)


def stop() -> str:
    job = jobs.running_job()
    if job is None:
        return message(NO_JOB)
    job.stop()
    return message("Stopping after this step. What was learned is saved.", good=True)


def discard(label: str) -> tuple[str, Any]:
    """Asks for a second press. label: of the button now."""
    job = jobs.running_job()
    if job is None:
        return message(NO_JOB), gr.update(value=DISCARD)
    if label != CONFIRM:
        return (message("What was learned since the last save will be lost. Press again to discard it."),
                gr.update(value=CONFIRM))
    job.discard()
    return (message("Stopping after this step. What was saved before stays as it is.", good=True),
            gr.update(value=DISCARD))


def prefer(step: str) -> tuple[str, str, str, str]:
    """The answer, the panel, the previews and the job's version, after a star was pressed."""
    job = jobs.jobs[-1] if jobs.jobs else None
    if job is None:
        return message(NO_JOB), panel(job), preview_table(job), job_version(job)
    try:
        names = ", ".join(path.name for path in preferred.prefer_copy(job, int(step) if str(step).isdecimal() else -1))
        answer = message(f"{names} is marked as your choice now, and this preview is its picture.", good=True)
    except DarkroomError as error:
        answer = message(str(error))
    return answer, panel(job), preview_table(job), job_version(job)


def method_help_html(name: str) -> Markup:
    """A method's help as HTML, because Markdown would read <lora:name:1> as a tag."""
    return html("<p>{}</p>", method_help(name))


def method_help(name: str) -> str:
    return " ".join((methods.all_methods()[name].__doc__ or "").split())

