"""Forge's own model: unloaded while ours is trained, loaded again by Forge when it next draws."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend import memory_management
from modules import sd_models

from ... import memory
from ...models.view import View
from ..a1111.txt2img import forget_encoded_prompts
from .differences import forget_read_files

NOTHING = str([])  # Forge's hash of no LoRA


@contextmanager
def model_unloaded() -> Iterator[None]:
    """Within, Forge has no model, as before the first one is loaded."""
    unload()
    try:
        yield
    finally:
        give_memory_back()


def unload() -> None:
    """Forge loads the chosen checkpoint again before its next picture, because of the empty hash."""
    data = sd_models.model_data
    data.sd_model, data.forge_hash = sd_models.FakeInitialModel(), ""
    gc.collect()  # what nobody refers to is not moved into the system's memory first
    memory_management.unload_all_models()
    forget_encoded_prompts()
    forget_read_files()
    give_memory_back()


def give_memory_back() -> None:
    gc.collect()
    memory_management.soft_empty_cache()
    memory.free_cache()


def emptied(view: View) -> None:
    """Takes the weights from our model, whoever still refers to it."""
    for module in (view.unet, view.vae, *view.text_models):
        module.to("meta")


def loaded_model() -> Any:
    """Forge's model; None where none is loaded."""
    model = sd_models.model_data.sd_model
    return model if hasattr(model, "forge_objects") else None


def forget_file(path: Path) -> None:
    """Forge applies the file anew, or loads it anew where it is the checkpoint."""
    forget_read_files()
    model = loaded_model()
    if model is None:
        return
    if Path(model.filename) == path:
        unload()
        return
    model.current_lora_hash = NOTHING
    for patcher in (model.forge_objects_original.unet, model.forge_objects_original.clip.patcher):
        patcher.lora_loader.loaded_hash = ""  # that of no file
    forget_encoded_prompts()


def reload_embeddings() -> None:
    """Forge looks at the folder when it loads a model, and not again."""
    model = loaded_model()
    for name in vars(model) if model else ():
        if name.startswith("text_processing_engine"):
            getattr(model, name).embeddings.load_textual_inversion_embeddings()
