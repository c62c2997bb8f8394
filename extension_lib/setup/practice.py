"""The practice model: a tiny true checkpoint that ships with Darkroom, installed where a WebUI finds it."""

import json
from pathlib import Path

from ..errors import DarkroomError
from ..host import PRESET_SUFFIX
from ..support.disk import copy_file, is_folder, write_text

TOYLAND = Path(__file__).resolve().parents[2] / "toyland"
BASE = TOYLAND / "base.safetensors"
NAME = "toyland"


class PracticeError(DarkroomError, RuntimeError):
    """The practice model could not be installed; the message says why."""


def install(checkpoints: Path) -> Path:
    """Puts the practice model into a WebUI's folder of checkpoints; returns the checkpoint's path.

    Beside it lie its preset, and the .yaml by which the WebUI builds it, which names the folder of its tokenizer.
    Raises PracticeError, or SaveError when the disk is full.
    """
    if not BASE.exists():
        raise PracticeError(f"{BASE} is missing. Install Darkroom again, with all its files.")
    if not is_folder(checkpoints):
        raise PracticeError(f"There is no folder {checkpoints}. Give the WebUI's models/Stable-diffusion.")
    checkpoint, text = checkpoints / f"{NAME}.safetensors", checkpoints / f"{NAME}-text"
    sources = [TOYLAND / "base" / "text_encoder" / "config.json", *(TOYLAND / "base" / "tokenizer").iterdir()]
    for source, target in [(BASE, checkpoint), (preset(), checkpoints / (NAME + PRESET_SUFFIX)),
                           *((s, text / s.name) for s in sources)]:
        copy_file(source, target)
    template = (TOYLAND / "base.yaml").read_text(encoding="utf-8")
    write_text(checkpoint.with_suffix(".yaml"), template.replace('"{tokenizer}"', json.dumps(str(text.resolve()))))
    return checkpoint


def preset() -> Path:
    return BASE.with_name(BASE.stem + PRESET_SUFFIX)


def is_installed(checkpoints: Path) -> bool:
    return (checkpoints / f"{NAME}.safetensors").exists()
