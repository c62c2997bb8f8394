"""What is changed in the WebUI while its model is borrowed, and put back afterwards."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from modules import sd_hijack, sd_models, sd_unet, shared

from ...host import Checkpoint, HostError
from ...support.forward import own_forward, set_own_forward
from .attention import DifferentiableAttention
from .loaders import lora_extension
from .replaced import is_replaced

HYPERTILE = "__webui_hypertile_params"  # what Hypertile leaves on each module that it was put on


def find_info(checkpoint: Checkpoint) -> Any:
    """What the WebUI lists the checkpoint as. Raises HostError."""
    info = next((i for i in sd_models.checkpoints_list.values() if Path(i.filename) == checkpoint.path), None)
    if info is None:
        raise HostError(f"The WebUI does not list the checkpoint {checkpoint.title}. Refresh its list.")
    return info


@contextmanager
def checkpoint_loaded(checkpoint: Checkpoint) -> Iterator[Any]:
    """The WebUI's model with this checkpoint loaded; afterwards the previous checkpoint."""
    if shared.sd_model is None:
        raise HostError("The WebUI has no checkpoint loaded. Choose one at the top left and try again.")
    before = shared.sd_model.sd_checkpoint_info
    info = find_info(checkpoint)
    if info.filename == before.filename:
        if is_replaced(shared.sd_model):
            sd_models.checkpoints_loaded.pop(info, None)
            sd_models.reload_model_weights(info=info, forced_reload=True)
        yield shared.sd_model
        return
    chosen = None
    try:
        sd_models.reload_model_weights(info=info)
        chosen = shared.opts.sd_model_checkpoint
        yield shared.sd_model
    finally:
        if chosen is None:  # loading failed, and the previous model is gone already
            sd_models.reload_model_weights(info=before, forced_reload=True)
        else:  # someone may have chosen another checkpoint meanwhile; the WebUI then loads that
            sd_models.reload_model_weights(info=before if shared.opts.sd_model_checkpoint == chosen else None)


@contextmanager
def prepared_for_training(sd_model: Any, attention: DifferentiableAttention) -> Iterator[None]:
    """Differentiable attention, no tiling, no Hypertile, no other UNet, no token merging; undone at the end."""
    with ExitStack() as undo:
        if sd_unet.current_unet is not None:
            raise HostError("The WebUI uses another UNet (for example TensorRT). Set 'SD Unet' to None to train.")
        undo.callback(sd_hijack.model_hijack.apply_circular, sd_hijack.model_hijack.circular_enabled)
        sd_hijack.model_hijack.apply_circular(False)
        undo.callback(sd_models.apply_token_merging, sd_model, getattr(sd_model, "applied_token_merged_ratio", 0))
        sd_models.apply_token_merging(sd_model, 0)
        undo.enter_context(without_hypertile(sd_model))
        undo.enter_context(attention.in_use())
        undo.enter_context(torch.enable_grad())
        yield


@contextmanager
def without_hypertile(sd_model: Any) -> Iterator[None]:
    """Without the forward that Hypertile sets on each attention: it keeps the tiles of the last picture."""
    tiled = [(module, own_forward(module)) for module in sd_model.modules() if hasattr(module, HYPERTILE)]
    for module, _ in tiled:
        set_own_forward(module, None)
    try:
        yield
    finally:
        for module, forward in tiled:
            set_own_forward(module, forward)


@contextmanager
def progress_restored() -> Iterator[None]:
    """Drawing counts its own steps in the progress bar; the training's are put back afterwards."""
    state = shared.state
    kept = {
        name: getattr(state, name)
        for name in ("job_no", "job_count", "sampling_step", "sampling_steps", "textinfo")
    }
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(state, name, value)


def remove_networks(sd_model: Any) -> None:
    """Removes merged LoRAs from the weights and loaded hypernetworks from the attention.

    The WebUI's backups of the weights are dropped too: it would restore them over the trained weights.
    """
    networks = lora_extension()
    networks.load_networks([])
    with torch.no_grad():
        for module in sd_model.modules():
            if hasattr(module, "network_layer_name") and hasattr(module, "network_current_names"):
                networks.network_apply_weights(module)
                networks.network_reset_cached_weight(module)
    shared.loaded_hypernetworks.clear()


def drop_cached_models(path: Path) -> None:
    """Drops models of this file from memory, where the WebUI keeps several: it would not read the file again."""
    data = sd_models.model_data
    for model in [
            m for m in data.loaded_sd_models if m is not data.sd_model and Path(m.sd_checkpoint_info.filename) == path
    ]:
        data.loaded_sd_models.remove(model)
        sd_models.send_model_to_trash(model)


def reload_embeddings() -> None:
    """Forced: by itself the WebUI only looks at the time of the folder."""
    sd_hijack.model_hijack.embedding_db.load_textual_inversion_embeddings(force_reload=True)
