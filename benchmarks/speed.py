"""How long a step of each adapter takes, as ratios: `python -m benchmarks.speed [pairs]`.

A UNet of Stable Diffusion 1.5's size with random weights, 256 pixels, fp32, the same attention and MLP layers of rank
8. Steps of all contestants are interleaved, so that a machine that slows down slows them all; each figure is a median
over pairs.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from extension_lib.families.sd1 import SD1
from extension_lib.methods.adapter import Adapter
from extension_lib.methods.loha import Loha
from extension_lib.methods.lokr import Lokr
from extension_lib.methods.lora import Lora
from extension_lib.model import Diffusion, Layer
from extension_lib.models.diffusers_pipeline import CONFIGS
from extension_lib.models.diffusers_view import DiffusersView
from extension_lib.support.disk import write_text

OUT = Path(__file__).resolve().parents[1] / "docs" / "speed.json"
RANK, PIXELS = 8, 256
OURS = {"lora": Lora(rank=RANK, text_rate=0.0), "loha": Loha(rank=RANK, text_rate=0.0),
        "lokr": Lokr(rank=RANK, factor=-1, text_rate=0.0)}


class OnlyUnet(DiffusersView):
    """A view of a UNet alone."""

    def __init__(self, unet: Any):
        super(DiffusersView, self).__init__(SD1, unet, None, [],
                                            Diffusion(torch.ones(1000), "eps"), torch.device("cpu"), torch.float32)

    def layers(self) -> list[Layer]:
        return list(self.unet_layers())


def unet() -> Any:
    from diffusers import UNet2DConditionModel

    config = json.loads((CONFIGS / "sd1" / "unet" / "config.json").read_text(encoding="utf-8"))
    return UNet2DConditionModel.from_config(config).requires_grad_(False)


def forward(model: Any, given: tuple) -> torch.Tensor:
    return model(given[0], given[1], encoder_hidden_states=given[2]).sample


@contextmanager
def ours(view: OnlyUnet, name: str) -> Iterator[None]:
    kind = OURS[name]
    trainable = Adapter(kind, kind.select_layers(view.layers()), 0, view.device)
    try:
        yield
    finally:
        trainable.detach()


@contextmanager
def lycoris(view: OnlyUnet, name: str) -> Iterator[None]:
    """LyCORIS' own modules with their default way of applying themselves."""
    from lycoris.modules.loha import LohaModule
    from lycoris.modules.lokr import LokrModule

    made = {"loha": LohaModule, "lokr": LokrModule}[name]
    layers = Lora(text_rate=0.0).select_layers(view.layers())
    modules = [made(layer.key, layer.module, lora_dim=RANK, alpha=RANK, **({"factor": -1} if name == "lokr" else {}))
               for layer in layers]
    for module in modules:
        module.train()
        module.apply_to()
    try:
        yield
    finally:
        for module in reversed(modules):
            module.restore()


def step(view: OnlyUnet, given: tuple) -> None:
    forward(view.unet, given).square().mean().backward()


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def contestants(view: OnlyUnet, given: tuple) -> dict[str, Callable[[], float]]:
    def within(context: Any, name: str) -> Callable[[], float]:
        def run() -> float:
            with context(view, name):
                return timed(lambda: step(view, given))
        return run

    def only_forward() -> float:
        with torch.no_grad():
            return timed(lambda: forward(view.unet, given))
    return {"forward": only_forward, **{name: within(ours, name) for name in OURS},
            **{f"LyCORIS {name}": within(lycoris, name) for name in ("loha", "lokr")}}


def main(arguments: list[str]) -> int:
    pairs = int(arguments[0]) if arguments else 10
    torch.manual_seed(0)
    view = OnlyUnet(unet())
    given = (torch.randn(1, 4, PIXELS // 8, PIXELS // 8), torch.tensor([500]), torch.randn(1, 77, 768))
    run = contestants(view, given)
    seconds: dict[str, list[float]] = {name: [] for name in run}
    for number in range(pairs + 1):  # the first round warms up
        for name, once in run.items():
            taken = once()
            if number:
                seconds[name].append(taken)
        print(f"round {number} of {pairs}", flush=True)
    compared = {
        "LoRA step / forward": ("lora", "forward"), "LoHa / LoRA": ("loha", "lora"), "LoKr / LoRA": ("lokr", "lora"),
        "LoHa / LyCORIS' LoHa": ("loha", "LyCORIS loha"), "LoKr / LyCORIS' LoKr": ("lokr", "LyCORIS lokr")
    }
    ratios = {title: round(statistics.median(a / b for a, b in zip(seconds[x], seconds[y])), 3)
              for title, (x, y) in compared.items()}
    facts = {"pairs": pairs, "threads": torch.get_num_threads(), "torch": torch.__version__, "ratios": ratios,
             "median seconds": {name: round(statistics.median(own), 2) for name, own in seconds.items()}}
    write_text(OUT, json.dumps(facts, indent=1) + "\n")
    for title, ratio in ratios.items():
        print(f"{title:24} {ratio:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
