"""AUTOMATIC1111's WebUI 1.10: trains on the model it has loaded, under its queue lock, and gives it back as it was."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from modules import sd_models, sd_models_config, shared
from torch import Tensor

from ...diffusion.noise import zero_terminal_snr
from ...events import Event
from ...families import FAMILIES
from ...families.family import Family
from ...families.kind import CheckpointKind
from ...families.prediction import Prediction
from ...host import Checkpoint, HostError, Picture
from ...model import Diffusion, Model
from ...models.detect import contradictions, kind_of, require_trainable
from ...models.frozen import frozen
from ...models.ldm_view import own_diffusion
from ...support import autocast
from . import captioning, description, queue, txt2img
from . import folders as webui_folders
from .borrow import (
    checkpoint_loaded,
    drop_cached_models,
    find_info,
    prepared_for_training,
    progress_restored,
    reload_embeddings,
    remove_networks,
)
from .loaders import LOADERS, lora_extension
from .queue import holding_queue, outliving_reload
from .txt2img import forget_encoded_prompts
from .view import GONE, BorrowedView

SCHEDULE, ZERO_SNR = "sd_noise_schedule", "Zero Terminal SNR"  # the WebUI's setting, and its choice


class A1111:
    name = "a1111"
    unsupported = ""

    def __init__(self) -> None:
        self.folders = webui_folders.folders()
        self.borrowed: BorrowedView | None = None
        self.borrower: int | None = None  # the thread that trains

    @property
    def borrowed_here(self) -> BorrowedView | None:
        """The borrowed model, for the thread that borrowed it. Other threads wait for the WebUI's queue."""
        return self.borrowed if self.borrower == threading.get_ident() else None

    def checkpoints(self) -> list[Checkpoint]:
        return webui_folders.checkpoints()

    def current(self) -> Checkpoint | None:
        model = sd_models.model_data.sd_model
        info = model.sd_checkpoint_info if model else sd_models.checkpoint_aliases.get(shared.opts.sd_model_checkpoint)
        return webui_folders.as_checkpoint(info) if info else next(iter(self.checkpoints()), None)

    def kind(self, checkpoint: Checkpoint) -> CheckpointKind | None:
        return kind_of(checkpoint)

    def advice(self, checkpoint: Checkpoint) -> list[str]:
        kind, said = self.kind(checkpoint), contradictions(checkpoint)
        if kind and kind.prediction and kind.prediction.zero_snr and shared.opts.data.get(SCHEDULE) != ZERO_SNR:
            said.append(f"{checkpoint.path.name} has zero terminal SNR, but the WebUI draws with its usual schedule. "
                        f"Set 'Noise schedule for sampling' to '{ZERO_SNR}' in Settings, Sampler parameters.")
        if description.drawn_as_epsilon(checkpoint, kind):
            beside = description.path_beside(checkpoint)
            what = f"{beside.name} beside it says so" if beside.exists() else "no .yaml beside it says otherwise"
            said.append(f"{checkpoint.path.name} predicts v, but the WebUI draws with it as with epsilon, because "
                        f"{what}. Training and previews are right; pictures of txt2img are not.")
        return said

    def missing_description(self, checkpoint: Checkpoint) -> Path | None:
        beside = description.path_beside(checkpoint)
        missing = description.drawn_as_epsilon(checkpoint, self.kind(checkpoint)) and not beside.exists()
        return beside if missing else None

    def write_description(self, checkpoint: Checkpoint) -> Path:
        info = find_info(checkpoint)
        known = sd_models_config.find_checkpoint_config(description.shapes_in(checkpoint.path), info)
        return description.write_beside(checkpoint, Path(known))

    def unusable(self, method: Any) -> str:
        return ""

    def unread(self, tensors: Mapping[str, Tensor]) -> list[str]:
        return []

    def tokens(self) -> Callable[[str], Sequence[int]] | None:
        model = sd_models.model_data.sd_model
        tokenize = getattr(getattr(model, "cond_stage_model", None), "tokenize", None)
        return (lambda word: tokenize([word])[0]) if tokenize else None

    def captioners(self) -> tuple[str, ...]:
        return captioning.captioner_names()

    def caption(self, how: str, images: Iterable[Any]) -> Iterator[str]:
        with holding_queue("Darkroom captions"):
            for text in captioning.captions(how, images):
                yield text
                if self.stopping():
                    return

    @contextmanager
    def borrow(self, checkpoint: Checkpoint) -> Iterator[Model]:
        stated = require_trainable(checkpoint.path).prediction if checkpoint.path.suffix == ".safetensors" else None
        with holding_queue("Darkroom"), outliving_reload(), checkpoint_loaded(checkpoint) as sd_model:
            family = require_supported_model(sd_model)
            remove_networks(sd_model)
            view = BorrowedView(sd_model, family, diffusion_of(sd_model, checkpoint.prediction or stated))
            if view.compute != torch.float32 and not autocast.autocast_supported(view.device):
                raise HostError(f"This device ({view.device.type}) cannot train in half precision. Start the WebUI "
                                "with --no-half "
                                "to train.")
            with (view.low_memory.lifted(), prepared_for_training(sd_model, view.attention),
                  frozen(view.unet, *view.text_models, view.vae), view.exposed(),
                  drawing_as(sd_model, view.diffusion.prediction)):
                self.borrowed, self.borrower = view, threading.get_ident()
                try:
                    yield view
                finally:
                    self.borrowed = self.borrower = None
                    view.unpark()
                    forget_encoded_prompts()
                    reload_embeddings()

    def draw(self, pictures: list[Picture]) -> list[Any]:
        if (view := self.borrowed_here) is None:
            with holding_queue("Darkroom pictures"):
                return [draw_picture(p) for p in pictures]
        view.words.register()
        forget_encoded_prompts()
        with view.unparked(), view.attention.set_aside(), progress_restored():
            try:
                return [draw_picture(p, view) for p in pictures]
            finally:
                forget_encoded_prompts()
                remove_networks(view.sd_model)

    def read_back(self, path: Path, kind: str) -> Mapping[str, Tensor]:
        with nullcontext() if self.borrowed_here else holding_queue("Darkroom check"):
            return LOADERS[kind](path, self.borrowed_here)

    def forget(self, path: Path) -> None:
        with nullcontext() if self.borrowed_here else holding_queue("Darkroom"):
            networks = lora_extension()
            networks.networks_in_memory.pop(path.stem, None)
            shared.loaded_hypernetworks.clear()
            for info in [i for i in sd_models.checkpoints_loaded if Path(i.filename) == path]:
                del sd_models.checkpoints_loaded[info]
            drop_cached_models(path)
            if sd_models.model_data.sd_model:
                remove_networks(sd_models.model_data.sd_model)
            forget_encoded_prompts()

    def show(self, event: Event) -> None:
        queue.show(event)

    def wanted(self) -> bool:
        return queue.is_wanted()

    def stopping(self) -> bool:
        return queue.stopping()

    def refresh(self) -> None:
        lora_extension().list_available_networks()
        shared.refresh_checkpoints()
        shared.reload_hypernetworks()
        if self.borrowed is None:
            reload_embeddings()


def require_supported_model(sd_model: Any) -> Family:
    """Raises HostError for models of a family that is not supported."""
    title = sd_model.sd_checkpoint_info.name
    family = next((family for family in FAMILIES if getattr(sd_model, f"is_{family.name}", False)), None)
    if family is None:
        raise HostError(f"{title} is of a family that Darkroom does not train.")
    if sd_model.model.conditioning_key != "crossattn":
        raise HostError(f"{title} is an inpainting or editing model. Darkroom trains plain checkpoints.")
    return family


def diffusion_of(sd_model: Any, stated: Prediction | None) -> Diffusion:
    """The noise process: as stated, else as the WebUI draws."""
    own = own_diffusion(sd_model)
    if stated is None:
        return own
    bars = zero_terminal_snr(own.alphas_cumprod) if stated.zero_snr else own.alphas_cumprod
    return Diffusion(bars, stated.kind)


@contextmanager
def drawing_as(sd_model: Any, prediction: str) -> Iterator[None]:
    """Within, the WebUI draws with the prediction that is trained, whatever it takes the checkpoint for."""
    own, sd_model.parameterization = sd_model.parameterization, prediction
    try:
        yield
    finally:
        sd_model.parameterization = own


def draw_picture(picture: Picture, borrowed: BorrowedView | None = None) -> Any:
    """A PIL image by txt2img. While a model is borrowed, no other model is used, and its own schedule."""
    overrides: dict[str, Any] = {"sd_hypernetwork": "None"}
    if borrowed:
        overrides["sd_model_checkpoint"] = borrowed.sd_model.sd_checkpoint_info.title
        overrides[SCHEDULE] = ZERO_SNR if borrowed.diffusion.zero_snr else "Default"
    image = txt2img.draw_picture(picture, overrides)
    if borrowed and shared.sd_model is not borrowed.sd_model:
        raise HostError(GONE)
    return image
