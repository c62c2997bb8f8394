"""The Generate tab of the standalone app: a small txt2img that reads <lora:name:weight>."""

import random
from typing import Any

import gradio as gr

from ...config.presets import drawing_run, suitable
from ...config.run import Base
from ...errors import DarkroomError
from ...host import Picture, find_checkpoint, require_drawable
from ...hosts.standalone import Standalone
from ..panels.widgets import NAMES, refresh_button
from ..views.job_view import message


class GenerateTab:
    def __init__(self, host: Standalone, samplers: list[str]):
        self.host = host
        suitable = drawing_run(host)
        size = suitable.data.resolution
        with gr.Row():
            with gr.Column():
                with gr.Row():
                    self.checkpoint = gr.Dropdown(choices=self.checkpoint_titles(),
                                                  value=next(iter(self.checkpoint_titles()), None), label="Checkpoint",
                                                  elem_id="darkroom_generate_checkpoint", elem_classes=[NAMES])
                    self.refresh = refresh_button("darkroom_generate_refresh")
                self.prompt = gr.Textbox(label="Prompt", lines=2, elem_id="darkroom_prompt",
                                         info="Add <lora:name:1> to use a LoRA.")
                self.negative = gr.Textbox(label="Negative prompt", elem_id="darkroom_negative")
                with gr.Row():
                    self.sampler = gr.Dropdown(samplers, value=samplers[0], label="Sampler", elem_id="darkroom_sampler")
                    self.steps = gr.Slider(1, 150, value=20, step=1, label="Steps", elem_id="darkroom_steps")
                    self.cfg = gr.Slider(1, 30, value=suitable.previews.cfg, step=0.5, label="CFG scale",
                                         elem_id="darkroom_cfg")
                with gr.Row():
                    self.width = gr.Slider(64, 2048, value=size, step=64, label="Width", elem_id="darkroom_width")
                    self.height = gr.Slider(64, 2048, value=size, step=64, label="Height", elem_id="darkroom_height")
                    self.seed = gr.Number(value=-1, precision=0, label="Seed", elem_id="darkroom_seed",
                                          info="-1: a new seed each time")
                self.generate = gr.Button("Generate", variant="primary", elem_id="darkroom_generate")
            with gr.Column():
                self.answer = gr.HTML()
                self.image = gr.Image(label="Picture", type="pil", elem_id="darkroom_picture")
        self.refresh.click(lambda: gr.update(choices=self.checkpoint_titles()), None, [self.checkpoint], queue=False)
        self.checkpoint.change(self.suit_checkpoint, [self.checkpoint], [self.width, self.height, self.cfg],
                               queue=False)
        inputs = [self.checkpoint, self.prompt, self.negative, self.sampler, self.steps, self.cfg, self.width,
                  self.height, self.seed]
        self.generate.click(self.draw, inputs, [self.answer, self.image])

    def checkpoint_titles(self) -> list[str]:
        return [c.title for c in self.host.checkpoints()]

    def suit_checkpoint(self, title: str | None) -> tuple[Any, Any, Any]:
        """The size and CFG scale that suit a checkpoint."""
        try:
            run = suitable(self.host, "lora", Base(title or ""))
        except DarkroomError:
            return gr.update(), gr.update(), gr.update()
        return run.data.resolution, run.data.resolution, run.previews.cfg

    def draw(self, title: str | None, prompt: str, negative: str, sampler: str, steps: float, cfg: float,
              width: float, height: float, seed: float) -> tuple[str, Any]:
        seed = random.randrange(2**31) if seed is None or seed < 0 else int(seed)
        try:
            picture = require_drawable(
                Picture(prompt, negative, int(steps), cfg, width=int(width), height=int(height), seed=seed,
                        sampler=sampler))
            self.host.load(find_checkpoint(self.host, title or ""))
            return message(f"Seed {seed}", good=True), self.host.draw([picture])[0]
        except DarkroomError as error:
            return message(str(error)), None
