"""Where a WebUI keeps its files; the same in all its kinds."""

from pathlib import Path

from modules import paths, shared

from ..host import Folders


def folders() -> Folders:
    options, models = shared.cmd_opts, Path(paths.models_path)
    return Folders(lora=Path(options.lora_dir), embeddings=Path(options.embeddings_dir),
                   hypernetworks=Path(options.hypernetwork_dir), checkpoints=Path(options.ckpt_dir or models / "Stable-diffusion"),
                   workspaces=models / "darkroom")
