"""The Train tab: method, settings, start and stop, and what is going on."""


import gradio as gr

from .. import methods
from ..run import Run
from .form import Form
from .parts import unsaved

BASIC_SECTIONS = (("Training", "training"), ("Pictures", "data"), ("Class pictures", "prior"), ("Saving", "saving"),
                  ("Previews", "previews"))
OTHER_SECTIONS = (("Noise and loss", "noise"),)


class TrainTab:
    """The form with all settings of a run, and the panel that follows the running job."""

    def __init__(self) -> None:
        self.form = Form()
        with gr.Row():
            with gr.Column(scale=3):
                first = Run().method.name
                self.method = unsaved(gr.Radio(choices=[(m.title, name) for name, m in methods.found().items()],
                                               value=first, label="Method", elem_id="darkroom_method"))
                self.method_help = gr.Markdown(help_of(first))
                self.form.draw("output", only=["name"])
                self.form.draw_methods(first, advanced=False)
                for title, section in BASIC_SECTIONS:
                    with gr.Accordion(title, open=section == "training"):
                        self.form.draw(section, advanced=False)
                        if section == "training":
                            self.arithmetic = gr.HTML(elem_id="darkroom_arithmetic")
                with gr.Accordion("Advanced", open=False, elem_id="darkroom_advanced"):
                    self.form.draw_methods(first, advanced=True)
                    for title, section in (*OTHER_SECTIONS, *BASIC_SECTIONS):
                        gr.Markdown(f"**{title}**")
                        self.form.draw(section)
            with gr.Column(scale=4):
                with gr.Row():
                    self.train = gr.Button("Train", variant="primary", elem_id="darkroom_train")
                    self.save_now = gr.Button("Save now", elem_id="darkroom_save_now")
                    self.stop = gr.Button("Stop and save", variant="stop", elem_id="darkroom_stop")
                self.question = unsaved(gr.Radio(
                    choices=[], visible=False, elem_id="darkroom_question",
                    label="This was trained before, or the name is taken. What shall be done? Choose, then press Train again."))
                self.answer = gr.HTML(elem_id="darkroom_answer")
                self.live = gr.HTML(elem_id="darkroom_live")
                self.previews = gr.Gallery(label="Previews", columns=4, height=420, elem_id="darkroom_previews")
                self.seen = gr.State("")


def help_of(name: str) -> str:
    return " ".join((methods.found()[name].__doc__ or "").split())

