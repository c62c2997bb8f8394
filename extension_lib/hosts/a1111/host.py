"""AUTOMATIC1111's WebUI 1.10: trains on the model it has loaded, under its queue lock, and gives it back as it was."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
from modules import devices, processing, sd_models, sd_models_config, shared
from torch import Tensor

from ...data.pictures import PictureError, load_picture
from ...diffusion.noise import zero_terminal_snr
from ...events import Began, Event, Prepared, Previewed, Stepped
from ...families import FAMILIES
from ...families.family import Family
from ...families.kind import CheckpointKind
from ...families.prediction import Prediction
from ...host import Checkpoint, HostError, Interrupted, Picture
from ...model import Diffusion, Model
from ...models.detect import contradictions, kind_of, require_trainable
from ...models.frozen import frozen
from ...models.ldm_view import own_diffusion
from ...support import autocast
from . import captioning, description
from . import folders as webui_folders
from .borrow import (
    checkpoint_loaded,
    drop_cached_models,
    find_info,
    forget_encoded_prompts,
    holding_queue,
    outliving_reload,
    prepared_for_training,
    progress_restored,
    queue_is_wanted,
    reload_embeddings,
    remove_networks,
)
from .loaders import LOADERS, lora_extension
from .view import GONE, BorrowedView

MOMENT = 0.1  # seconds
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
        state = shared.state
        if isinstance(event, Prepared):
            state.textinfo = event.what
        elif isinstance(event, Began):
            state.job_count, state.job_no = event.steps, event.start
        elif isinstance(event, Stepped):
            state.job_no = event.step
            state.textinfo = f"Step {event.step} of {state.job_count}, loss {event.loss:.4f}"
        elif isinstance(event, Previewed) and event.paths:
            with suppress(PictureError):  # the file may be gone
                state.assign_current_image(load_picture(event.paths[0]))

    def wanted(self) -> bool:
        return queue_is_wanted()

    def stopping(self) -> bool:
        """Looked at twice: "Reload UI" interrupts for a moment (borrow.outliving_reload)."""
        if not interrupted():
            return False
        time.sleep(MOMENT)
        return interrupted()

    def refresh(self) -> None:
        lora_extension().list_available_networks()
        shared.refresh_checkpoints()
        shared.reload_hypernetworks()
        if self.borrowed is None:
            reload_embeddings()


def interrupted() -> bool:
    return bool(shared.state.interrupted or shared.state.stopping_generation)


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
    """A PIL image by txt2img's own code. While a model is borrowed, no other model is used, and its own schedule.

    Raises Interrupted instead of returning an unfinished picture.
    """
    overrides: dict[str, Any] = {
        "CLIP_stop_at_last_layers": picture.clip_skip, "sd_lora": "None", "sd_hypernetwork": "None"
    }
    if borrowed:
        overrides["sd_model_checkpoint"] = borrowed.sd_model.sd_checkpoint_info.title
        overrides[SCHEDULE] = ZERO_SNR if borrowed.diffusion.zero_snr else "Default"
    overrides = {name: value for name, value in overrides.items() if not is_frozen(name)}
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model, prompt=picture.prompt, negative_prompt=picture.negative, seed=picture.seed,
        steps=picture.steps, cfg_scale=picture.cfg, width=picture.width, height=picture.height,
        sampler_name=picture.sampler, batch_size=1, n_iter=1, do_not_save_samples=True, do_not_save_grid=True,
        do_not_reload_embeddings=True, override_settings=overrides)
    try:
        with closing(p):
            images = processing.process_images(p).images
    except devices.NansException as error:  # a class of its own
        raise HostError(str(error)) from error
    if borrowed and shared.sd_model is not borrowed.sd_model:
        raise HostError(GONE)
    state = shared.state
    if not images or state.interrupted or state.skipped or state.stopping_generation:
        raise Interrupted("Interrupted in the WebUI.")
    return images[0]


def is_frozen(setting: str) -> bool:
    """Whether the WebUI runs with a --freeze-settings option that forbids changing this setting."""
    options, known = shared.cmd_opts, shared.opts.data_labels.get(setting)
    return bool(options.freeze_settings or setting in comma_separated(options.freeze_specific_settings)
                or known and known.section[0] in comma_separated(options.freeze_settings_in_sections))


def comma_separated(listed: str | None) -> list[str]:
    return [part.strip() for part in (listed or "").split(",")]
