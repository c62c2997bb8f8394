"""What the chosen optimiser is good for, and a button that installs its package where that is missing."""

from typing import Any

import gradio as gr
from markupsafe import Markup

from ...config.optimizers import OPTIMIZERS
from ...config.run import Training
from ...setup.optimizer_packages import install, is_installed
from ..views.html import html
from ..views.job_view import message


class OptimizerRow:
    def __init__(self) -> None:
        self.about = gr.HTML(about_html(Training().optimizer), elem_id="darkroom_optimizer_about")
        self.install = gr.Button("Install", visible=False, size="sm", elem_id="darkroom_optimizer_install")
        self.answer = gr.HTML(elem_id="darkroom_optimizer_answer")

    def wire(self, choice: Any) -> None:
        """choice: the component in which the optimiser is chosen, by a person or with a workspace."""
        outputs = [self.about, self.install, self.answer]
        choice.change(show, [choice], outputs, queue=False, show_progress="hidden")
        self.install.click(add, [choice], outputs, queue=False)


def show(name: str, answer: str = "") -> tuple[Markup, Any, str]:
    kind = OPTIMIZERS[name]
    return about_html(name), gr.update(visible=not is_installed(kind), value=f"Install {kind.package}"), answer


def about_html(name: str) -> Markup:
    kind = OPTIMIZERS[name]
    return html('<div class="darkroom-faint"><span>{}</span> <span>{}</span></div>', kind.help,
                f"It remembers {kind.state:g} bytes for each number that is trained.")


def add(name: str) -> tuple[Markup, Any, str]:
    problem = install(name)
    return show(name, message(problem) if problem else message("It is installed now.", good=True))
