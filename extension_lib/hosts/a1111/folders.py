"""Where a WebUI keeps its files and checkpoints; the same in A1111, Forge and Neo, which lacks two options."""

from pathlib import Path
from typing import Any

from modules import paths, sd_models, shared

from ...host import Checkpoint, Folders
from .replaced import known_hash


def folders() -> Folders:
    options, models = shared.cmd_opts, Path(paths.models_path)
    return Folders(lora=Path(options.lora_dir),
                   embeddings=Path(options.embeddings_dir),
                   hypernetworks=Path(getattr(options, "hypernetwork_dir", models / "hypernetworks")),
                   checkpoints=Path(getattr(options, "ckpt_dir", None) or models / "Stable-diffusion"),
                   workspaces=models / "darkroom",
                   named=() if getattr(options, "hide_ui_dir_config", False) else None)


def checkpoints() -> list[Checkpoint]:
    return [as_checkpoint(info) for info in sd_models.checkpoints_list.values()]


def as_checkpoint(info: Any) -> Checkpoint:
    """info: the WebUI's CheckpointInfo."""
    return Checkpoint(info.title, Path(info.filename), known_hash(info))
