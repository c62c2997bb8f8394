"""How much memory DreamBooth takes at its peak, by optimiser and by how weights are updated.

A UNet of Stable Diffusion 1.5's kinds of blocks, a quarter of its size, with random weights, in bf16 as a WebUI's is
in fp16; 256 pixels, gradient checkpointing. Memory is what a fresh process has for itself alone (RssAnon), looked at
every 50 ms.
`PYTHONPATH=. python -m benchmarks.dreambooth` (takes 5 GB of memory)
"""

import itertools
import json
import sys
from typing import Any

import torch

from extension_lib.config.run import Run, from_dict
from extension_lib.families import SD1
from extension_lib.model import Diffusion, Weight
from extension_lib.models.diffusers_view import DiffusersView
from extension_lib.training.checkpointing import gradient_checkpointing
from extension_lib.training.optimizer import Optimizer

from .fresh import GIB, measured, memory_of
from .random_checkpoint import config
from .speed import batch, forward

STEPS = 3
SMALLER = {"layers_per_block": 1, "block_out_channels": [320, 640, 960],
           "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
           "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}
IN_BACKWARD, IN_BF16 = {"training": {"in_backward": True}}, {"method": {"bf16": True}}
WAYS: dict[str, dict[str, Any]] = {"after the backward pass, fp32": {}, "during it, fp32": IN_BACKWARD,
                                   "during it, bf16": {**IN_BACKWARD, **IN_BF16}}
OPTIMIZERS = ("AdamW", "AdamW 8 bit", "Adafactor")


class OnlyUnet(DiffusersView):
    def __init__(self) -> None:
        from diffusers import UNet2DConditionModel

        torch.set_default_dtype(torch.bfloat16)
        unet = UNet2DConditionModel.from_config({**config("unet"), **SMALLER}).requires_grad_(False)
        torch.set_default_dtype(torch.float32)
        super(DiffusersView, self).__init__(SD1, unet, None, [], Diffusion(torch.ones(1000), "eps"),
                                            torch.device("cpu"), torch.bfloat16)

    def weights(self) -> list[Weight]:
        return [Weight(name, "unet", parameter) for name, parameter in self.unet.named_parameters()]


def run_of(way: str, optimizer: str) -> Run:
    run = from_dict({"method": {"name": "dreambooth"}, "training": {"optimizer": optimizer, "steps": STEPS}})
    return run.with_values(WAYS[way])


def train(run: Run) -> dict[str, Any]:
    torch.manual_seed(0)
    view = OnlyUnet()
    own = memory_of("self")
    trainable, given = run.method.attach(view, 0), batch(view)
    optimizer = Optimizer(trainable.groups(), run.training, scaled=False)
    with gradient_checkpointing(view, True):
        for step in range(STEPS):
            with optimizer.during(step):
                loss = (forward(view, given) - given["noisy"]).square().mean()
                optimizer.backward(loss)
            optimizer.step(step)
            trainable.after_step()
    return {"own": own, "numbers": sum(p.numel() for p in optimizer.parameters), "loss": loss.item()}


def main(arguments: list[str]) -> None:
    if arguments:
        print(json.dumps(train(run_of(*arguments))))
        return
    first = 0
    for optimizer, way in itertools.product(OPTIMIZERS, WAYS):
        found = measured("benchmarks.dreambooth", way, optimizer)
        first = first or found["peak"]
        print(f"| {optimizer} | {way} | {found['peak'] / GIB:.2f} GiB | {found['peak'] / first:.2f} | of it before "
              f"attaching {found['own'] / GIB:.2f} GiB; {found['numbers'] / 1e6:.0f} million numbers; loss "
              f"{found['loss']:.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
