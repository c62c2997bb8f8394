"""A real Forge for the tests, with a random checkpoint of Stable Diffusion 1.5's size: it recognises no smaller one."""

import json
import os
from contextlib import contextmanager
from pathlib import Path

import torch
from browser import free_port
from webui import server
from webui.conftest import FORGE_DIR

from benchmarks.random_checkpoint import write_random_checkpoint
from extension_lib.host import PRESET_SUFFIX
from extension_lib.support.toml import write_toml

FLAGS = ("--skip-prepare-environment", "--skip-torch-cuda-test", "--always-cpu", "--api", "--no-download-sd-model")
NAME = "random-sd15"
CHECKPOINT = os.environ.get("FORGE_CHECKPOINT", "")  # one that was written before, on the same disk; it takes a minute
SMALL = {"size": 256, "steps": 1, "cfg_scale": 1.0}
# Small enough for a CPU, and so strong that ten steps show in 256 pixels.
ADAPTER = {"unet_rate": 5e-3, "text_rate": 5e-3}
PRESET = {
    "data": {"resolution": 256},
    "training": {"steps": 10, "warmup": 0, "batch_size": 1, "accumulation": 1, "measure_every": 10_000},
    "previews": {"preview_every": 0, "card": False}, "prior": {"preserve": False},
    "methods": {"lora": {"method": ADAPTER}, "loha": {"method": ADAPTER},
                "textual_inversion": {"method": {"rate": 0.5}},
                "dreambooth": {"method": {"unet_rate": 1e-3, "text_rate": 1e-3, "bf16": True},
                               "training": {"optimizer": "Adafactor", "in_backward": True}}}}


def prepare(data: Path) -> None:
    """A data folder with this extension, the tests' own, and the checkpoint (2.1 GB)."""
    folder = data / "models" / "Stable-diffusion"
    folder.mkdir(parents=True)
    path = folder / f"{NAME}.safetensors"
    if CHECKPOINT:
        os.link(CHECKPOINT, path)
    else:
        write_random_checkpoint(path, torch.float16)
    write_toml(folder / f"{NAME}{PRESET_SUFFIX}", PRESET)
    (data / "config.json").write_text(json.dumps({"live_previews_enable": False}), encoding="utf-8")
    server.install_extension(data)


@contextmanager
def running(data: Path, *flags: str):
    with server.running(Path(FORGE_DIR), data, free_port(), *flags, own=FLAGS, said=("Startup time:",),
                        seconds=900) as forge:
        yield forge
