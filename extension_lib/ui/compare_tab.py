"""The Compare tab: LoRA weight against training step in one picture, with the base beside it."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from ..compare.grid import Plan, copies, drawn, weights
from ..host import Host, HostError, Picture
from .live import bar, message
from .parts import drawing_run, refresh_button, unsaved


class CompareTab:
    def __init__(self, host: Host):
        self.host = host
        suits = drawing_run(host)
        with gr.Row():
            with gr.Column(scale=3):
                with gr.Row():
                    self.name = gr.Dropdown(choices=self.names(), label="LoRA", elem_id="darkroom_compare_name",
                                            info="All its copies by step are compared.")
                    self.refresh = refresh_button("darkroom_refresh_loras")
                self.prompts = gr.Textbox(label="Prompts", lines=2, info="One per line, without the tag.",
                                          elem_id="darkroom_compare_prompts")
                self.weights = gr.Textbox(label="Weights", value="0, 0.25, 0.5, 0.75, 1", elem_id="darkroom_compare_weights",
                                          info="0 is the checkpoint without the LoRA.")
                self.seeds = gr.Textbox(label="Seeds", value="1", elem_id="darkroom_compare_seeds",
                                        info="Numbers, separated by commas.")
                self.negative = gr.Textbox(label="Negative prompt", elem_id="darkroom_compare_negative")
                with gr.Row():
                    self.steps = gr.Slider(1, 150, value=20, step=1, label="Sampling steps", elem_id="darkroom_compare_steps")
                    self.cfg = gr.Slider(1, 30, value=suits.previews.cfg, step=0.5, label="CFG scale",
                                         elem_id="darkroom_compare_cfg")
                    self.size = gr.Slider(64, 1024, value=suits.data.resolution, step=64, label="Size",
                                          elem_id="darkroom_compare_size")
                self.go = gr.Button("Compare", variant="primary", elem_id="darkroom_compare")
            with gr.Column(scale=4):
                self.progress = gr.HTML(elem_id="darkroom_compare_progress")
                self.grid = gr.Image(label="Weight × step", type="pil", elem_id="darkroom_grid")
        self.inputs = [self.name, self.prompts, self.weights, self.seeds, self.negative, self.steps, self.cfg, self.size]
        for made in self.inputs:
            unsaved(made)
        self.refresh.click(lambda: gr.update(choices=self.names()), None, [self.name], queue=False)
        self.go.click(self.compared, self.inputs, [self.progress, self.grid])

    def names(self) -> list[str]:
        folder = self.host.folders.lora
        return sorted({p.stem for p in folder.rglob("*.safetensors") if not p.stem[-6:].isdigit()}) if folder.exists() else []

    def compared(self, name: str | None, prompts: str, weight_text: str, seeds: str, negative: str,
                 steps: float, cfg: float, size: float) -> Iterator[tuple[Any, Any]]:
        """Yields the progress line and the grid."""
        try:
            if not name:
                raise ValueError("Choose a LoRA to compare first.")
            plan = Plan(copies(self.host.folders.lora, name), weights(weight_text),
                        tuple(p.strip() for p in prompts.splitlines() if p.strip()) or ("",),
                        tuple(int(s) for s in weights(seeds)),
                        Picture("", negative=negative, steps=int(steps), cfg=cfg, width=int(size), height=int(size)))
            yield bar(0.0), None
            for share, grid in drawn(plan, self.host):
                yield (message("Done.", good=True) if grid else bar(share)), grid
        except (ValueError, HostError) as error:
            yield message(str(error)), None
