"""Whether a checkpoint's file was replaced after the WebUI loaded it: the model in memory is then another."""

from pathlib import Path
from typing import Any

from modules import hashes

from ...support.disk import modified_time

WRITTEN = "darkroom_file_written"  # when the model's file was written that was loaded


def remember_file(sd_model: Any) -> None:
    """To be called when the WebUI has loaded a model."""
    setattr(sd_model, WRITTEN, modified_time(Path(sd_model.sd_checkpoint_info.filename)))


def is_replaced(sd_model: Any) -> bool:
    """False for a model that was loaded before this extension."""
    written = modified_time(Path(sd_model.sd_checkpoint_info.filename))
    return bool(getattr(sd_model, WRITTEN, written) != written)


def known_hash(info: Any) -> str:
    """The sha256 of the file as it is now, where the WebUI knows it; info.sha256 may be that of an older file."""
    return hashes.sha256_from_cache(info.filename, f"checkpoint/{info.name}") or ""
