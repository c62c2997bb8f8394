"""AUTOMATIC1111's WebUI 1.10: trains on the model it has loaded, under its queue lock, and gives it back as it was."""

import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from modules import (
    call_queue,
    devices,
    processing,
    progress,
    sd_hijack,
    sd_hijack_clip,
    sd_hijack_optimizations,
    sd_models,
    sd_unet,
    shared,
)
from modules.hypernetworks import hypernetwork
from modules.textual_inversion import textual_inversion
from torch import Tensor

from ..diffusion.prompts import Fix
from ..events import Began, Event, Prepared, Previewed, Stepped
from ..export.lora import BUNDLED
from ..host import Checkpoint, HostError, Interrupted, Picture
from ..methods.adapter import Delta, flat
from ..methods.hypernetwork import PAIR
from ..model import Condition, Model
from . import a1111_describe
from .detect import require_sd1
from .ldm_view import LdmView
from .lent import frozen
from .webui_folders import folders

GONE = "The WebUI has unloaded or moved the checkpoint while it was being trained. Load it again and continue."


class KnownWords:
    """The WebUI's embeddings, among which new words stand as long as they are learned."""

    def __init__(self, sd_model: Any):
        self.sd_model = sd_model
        self.database = sd_hijack.model_hijack.embedding_db
        self.hidden: dict[str, Any] = {}  # embeddings of the user whose names are taken meanwhile

    def at(self, tokens: list[int], place: int) -> tuple[Tensor, int] | None:
        found, length = self.database.find_embedding_at_position(tokens, place)
        return None if found is None else (found.vec, length)

    def add(self, name: str, tokens: list[int], vectors: Tensor) -> None:
        if name in self.database.word_embeddings:
            self.hidden[name] = self.database.word_embeddings[name]
        embedding = textual_inversion.Embedding(vectors, name)
        embedding.vectors, embedding.shape = vectors.shape
        self.database.register_embedding(embedding, self.sd_model)

    def remove(self, name: str) -> None:
        self.database.register_embedding_by_name(None, self.sd_model, name)
        if name in self.hidden:
            self.database.register_embedding(self.hidden.pop(name), self.sd_model)


class LentView(LdmView):
    """The loaded model; notices when the WebUI takes it away in mid-training."""

    def __init__(self, sd_model: Any):
        compute = devices.dtype_unet if devices.dtype_unet.is_floating_point else devices.dtype
        super().__init__(sd_model, torch.device(devices.device), compute)
        self.sd_model = sd_model
        self.weight = next(self.unet.parameters())
        self.words: Any = KnownWords(sd_model)

    def vocabulary(self) -> Tensor:
        return self.text_model.get_input_embeddings().wrapped.weight.detach()

    @contextmanager
    def inserting(self, rows: list[tuple[Fix, ...]]) -> Iterator[None]:
        """By the WebUI's own path, which every prompt of txt2img takes."""
        sd_hijack.model_hijack.fixes = [
            [sd_hijack_clip.PromptChunkFix(f.place - 1, textual_inversion.Embedding(f.vectors, "")) for f in row] for row in rows]
        try:
            yield
        finally:
            sd_hijack.model_hijack.fixes = None

    def predict(self, noisy: Tensor, t: Tensor, condition: Condition) -> Tensor:
        if sd_models.model_data.sd_model is not self.sd_model or self.weight.device.type != self.device.type:
            raise HostError(GONE)
        return super().predict(noisy, t, condition)


class A1111:
    name = "a1111"
    unsupported = ""

    def __init__(self) -> None:
        self.folders = folders()
        self.lent: LentView | None = None

    def checkpoints(self) -> list[Checkpoint]:
        return [as_checkpoint(info) for info in sd_models.checkpoints_list.values()]

    def current(self) -> Checkpoint | None:
        model = sd_models.model_data.sd_model
        info = model.sd_checkpoint_info if model else sd_models.checkpoint_aliases.get(shared.opts.sd_model_checkpoint)
        return as_checkpoint(info) if info else next(iter(self.checkpoints()), None)

    def tokens(self) -> Callable[[str], Sequence[int]] | None:
        model = sd_models.model_data.sd_model
        tokenize = getattr(getattr(model, "cond_stage_model", None), "tokenize", None)
        return (lambda word: tokenize([word])[0]) if tokenize else None

    def describers(self) -> tuple[str, ...]:
        return a1111_describe.names()

    def describe(self, how: str, images: Iterable[Any]) -> Iterator[str]:
        with queued("Darkroom captions"):
            for text in a1111_describe.described(how, images):
                yield text
                if self.stopping():
                    return

    @contextmanager
    def borrow(self, checkpoint: Checkpoint) -> Iterator[Model]:
        refuse_how_it_runs()
        if checkpoint.path.suffix == ".safetensors":
            require_sd1(checkpoint.path)
        with queued("Darkroom"), loaded(checkpoint) as sd_model:
            refuse_model(sd_model)
            drop_networks(sd_model)
            view = LentView(sd_model)
            with prepared_for_training(sd_model), frozen(view.unet, view.text_model, view.vae):
                self.lent = view
                try:
                    yield view
                finally:
                    self.lent = None
                    view.unpark()
                    forget_encoded_prompts()
                    reread_embeddings()

    def draw(self, pictures: list[Picture]) -> list[Any]:
        if self.lent is None:
            with queued("Darkroom pictures"):
                return [draw_whole(p) for p in pictures]
        view = self.lent
        view.unpark()
        forget_encoded_prompts()
        with attention_of_the_user(), progress_kept():
            try:
                return [draw_one(p, view.sd_model) for p in pictures]
            finally:
                forget_encoded_prompts()
                drop_networks(view.sd_model)
                view.repark()

    def loaded(self, path: Path, kind: str) -> dict[str, Tensor]:
        with nullcontext() if self.lent else queued("Darkroom check"):
            return LOADERS[kind](path, self.lent)

    def forget(self, path: Path) -> None:
        with nullcontext() if self.lent else queued("Darkroom"):
            networks = lora_extension()
            networks.networks_in_memory.pop(path.stem, None)
            shared.loaded_hypernetworks.clear()
            for info in [i for i in sd_models.checkpoints_loaded if Path(i.filename) == path]:
                del sd_models.checkpoints_loaded[info]
            if sd_models.model_data.sd_model:
                drop_networks(sd_models.model_data.sd_model)
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
        elif isinstance(event, Previewed) and event.images:
            state.assign_current_image(event.images[0])

    def stopping(self) -> bool:
        return bool(shared.state.interrupted or shared.state.stopping_generation or shared.state.server_command)

    def refresh(self) -> None:
        lora_extension().list_available_networks()
        shared.refresh_checkpoints()
        shared.reload_hypernetworks()
        if self.lent is None:
            reread_embeddings()


def as_checkpoint(info: Any) -> Checkpoint:
    return Checkpoint(info.title, Path(info.filename), info.sha256 or "")


def lora_extension() -> Any:
    """The built-in Lora extension's module. Raises HostError when it is switched off."""
    if "networks" not in sys.modules:
        raise HostError("The WebUI's built-in Lora extension is switched off. Enable it in the Extensions tab; "
                        "without it no LoRA can be used.")
    return sys.modules["networks"]


def refuse_how_it_runs() -> None:
    """Raises HostError for ways of running the WebUI that cannot be trained in yet."""
    options = shared.cmd_opts
    for flag in ("lowvram", "medvram", "medvram_sdxl"):
        if getattr(options, flag, False):
            raise HostError(f"The WebUI runs with --{flag.replace('_', '-')}, which moves the model about while it works. "
                            "Start it without that to train.")
    if devices.fp8:
        raise HostError("The WebUI keeps its weights in FP8. Switch 'FP8 weight' off in Settings, Optimizations, to train.")


def refuse_model(sd_model: Any) -> None:
    """Raises HostError for models of a family that is not supported yet."""
    title = sd_model.sd_checkpoint_info.name
    for flag, what in (("is_sdxl", "XL"), ("is_sd2", "2"), ("is_sd3", "3")):
        if getattr(sd_model, flag, False):
            raise HostError(f"{title} is a Stable Diffusion {what} checkpoint. Darkroom trains Stable Diffusion 1 so far.")
    if sd_model.lowvram:
        raise HostError("The WebUI moves this model in and out of the card (low memory mode). Start it without that to train.")
    if sd_model.model.conditioning_key != "crossattn":
        raise HostError(f"{title} is an inpainting or editing model. Darkroom trains plain checkpoints so far.")


@contextmanager
def queued(job: str) -> Iterator[None]:
    """The WebUI's one place in the queue: what it generates waits meanwhile, and we wait for what it generates."""
    task = f"task({job.lower().replace(' ', '-')}-{uuid.uuid4().hex[:8]})"
    progress.add_task_to_queue(task)
    with call_queue.queue_lock:
        shared.state.begin(job=task)
        progress.start_task(task)
        try:
            yield
        finally:
            progress.finish_task(task)
            shared.state.end()
            shared.state.interrupted = shared.state.skipped = shared.state.stopping_generation = False
            shared.state.textinfo = None


@contextmanager
def loaded(checkpoint: Checkpoint) -> Iterator[Any]:
    """The WebUI's model with this checkpoint in it; afterwards the one that was there before."""
    if shared.sd_model is None:
        raise HostError("The WebUI has no checkpoint loaded. Choose one at the top left and try again.")
    before = shared.sd_model.sd_checkpoint_info
    info = next((i for i in sd_models.checkpoints_list.values() if Path(i.filename) == checkpoint.path), None)
    if info is None:
        raise HostError(f"The WebUI does not list the checkpoint {checkpoint.title}. Refresh its list.")
    if info.filename != before.filename:
        sd_models.reload_model_weights(info=info)
    try:
        yield shared.sd_model
    finally:
        if info.filename != before.filename:
            sd_models.reload_model_weights(info=before)


@contextmanager
def prepared_for_training(sd_model: Any) -> Iterator[None]:
    """Attention that can be differentiated, no tiling, no other UNet, no token merging; undone in the end."""
    with ExitStack() as undo:
        if sd_unet.current_unet is not None:
            raise HostError("The WebUI draws with another UNet (TensorRT, say). Set 'SD Unet' to None to train.")
        undo.callback(sd_hijack.model_hijack.apply_circular, sd_hijack.model_hijack.circular_enabled)
        sd_hijack.model_hijack.apply_circular(False)
        undo.callback(sd_models.apply_token_merging, sd_model, getattr(sd_model, "applied_token_merged_ratio", 0))
        sd_models.apply_token_merging(sd_model, 0)
        undo.enter_context(differentiable_attention())
        undo.enter_context(torch.enable_grad())
        yield


@contextmanager
def differentiable_attention() -> Iterator[None]:
    """The WebUI's plain scaled-dot-product attention, which autograd knows, in place of the chosen optimisation."""
    chosen = sd_hijack.current_optimizer
    sd_hijack.undo_optimizations()
    sd_hijack_optimizations.SdOptimizationSdp().apply()
    try:
        yield
    finally:
        sd_hijack.undo_optimizations()
        if chosen is not None:
            chosen.apply()


@contextmanager
def attention_of_the_user() -> Iterator[None]:
    """While lent: the attention that txt2img uses, so that a preview is what txt2img will give."""
    sd_hijack.undo_optimizations()
    if sd_hijack.current_optimizer is not None:
        sd_hijack.current_optimizer.apply()
    try:
        yield
    finally:
        sd_hijack.undo_optimizations()
        sd_hijack_optimizations.SdOptimizationSdp().apply()


@contextmanager
def progress_kept() -> Iterator[None]:
    """Drawing counts its own steps; ours come back afterwards."""
    state = shared.state
    kept = {name: getattr(state, name) for name in ("job_no", "job_count", "sampling_step", "sampling_steps", "textinfo")}
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(state, name, value)


def drop_networks(sd_model: Any) -> None:
    """Takes merged LoRAs out of the weights and loaded hypernetworks off the attention."""
    networks = lora_extension()
    networks.load_networks([])
    with torch.no_grad():
        for module in sd_model.modules():
            if hasattr(module, "network_layer_name") and hasattr(module, "network_current_names"):
                networks.network_apply_weights(module)
    shared.loaded_hypernetworks.clear()


def forget_encoded_prompts() -> None:
    """Encoded prompts are cached by their text, not by what was trained meanwhile."""
    one, two = processing.StableDiffusionProcessing, processing.StableDiffusionProcessingTxt2Img
    one.cached_c, one.cached_uc = [None, None], [None, None]
    two.cached_hr_c, two.cached_hr_uc = [None, None], [None, None]


def reread_embeddings() -> None:
    """Forced, because the WebUI looks only whether the folder itself has changed."""
    sd_hijack.model_hijack.embedding_db.load_textual_inversion_embeddings(force_reload=True)


def loaded_embedding(path: Path, view: Any) -> dict[str, Tensor]:
    """What the WebUI's embedding database makes of a file."""
    database = textual_inversion.EmbeddingDatabase()
    database.expected_shape = database.get_expected_shape()
    try:
        database.load_from_file(str(path), path.name)
    except (AssertionError, KeyError, RuntimeError, ValueError, OSError, TypeError) as error:
        raise HostError(f"The WebUI cannot load {path.name}: {error}") from error
    if path.stem not in database.word_embeddings:
        raise HostError(f"The WebUI does not take {path.name} for an embedding of this checkpoint.")
    return {"vectors": database.word_embeddings[path.stem].vec.float().cpu()}


def loaded_deltas(path: Path, view: Any) -> dict[str, Tensor]:
    """What the Lora extension's own loader makes of a file."""
    import network

    networks = lora_extension()
    try:
        net = networks.load_network(path.stem, network.NetworkOnDisk(path.stem, str(path)))
    except (AssertionError, KeyError, RuntimeError, ValueError, OSError) as error:
        raise HostError(f"The WebUI cannot load {path.name}: {error}") from error
    in_file = {key.partition(".")[0] for key in sd_models.read_state_dict(str(path)) if not key.startswith(BUNDLED)}
    deltas: dict[str, Tensor] = {}
    with torch.no_grad():
        for module in net.modules.values():
            key = module.network_key.partition(".")[0]
            updown, bias = module.calc_updown(module.sd_module.weight)
            deltas.update(flat(key, Delta(updown.float(), None if bias is None else bias.float())))
    if unmatched := sorted(in_file - {module.network_key.partition(".")[0] for module in net.modules.values()}):
        raise HostError(f"The WebUI finds no layer for {len(unmatched)} keys of {path.name}, such as {unmatched[0]}.")
    return deltas


def loaded_networks(path: Path, view: Any) -> dict[str, Tensor]:
    """What the WebUI makes of a hypernetwork's file."""
    made = hypernetwork.Hypernetwork()
    try:
        made.load(str(path))
    except (AssertionError, AttributeError, KeyError, RuntimeError, ValueError, OSError, TypeError) as error:
        raise HostError(f"The WebUI cannot load {path.name}: {error}") from error
    return {f"{size}.{which}.{name}": tensor.float().cpu() for size, pair in made.layers.items()
            for which, network in zip(PAIR, pair) for name, tensor in network.state_dict().items()}


def loaded_weights(path: Path, view: "LentView | None") -> dict[str, Tensor]:
    """What the WebUI reads from a checkpoint's file for everything that is trained now."""
    state = sd_models.read_state_dict(str(path))
    return {w.name: state[w.name].float() for w in (view.weights() if view else ()) if w.parameter.requires_grad}


LOADERS = {"lora": loaded_deltas, "embedding": loaded_embedding, "hypernetwork": loaded_networks, "checkpoint": loaded_weights}


def draw_whole(picture: Picture) -> Any:
    """Raises Interrupted rather than giving a picture that is half drawn."""
    image = draw_one(picture)
    if shared.state.interrupted or shared.state.stopping_generation:
        raise Interrupted("Interrupted in the WebUI.")
    return image


def draw_one(picture: Picture, sd_model: Any = None) -> Any:
    """One picture by txt2img's own code. While a model is lent, no other can slip in."""
    overrides: dict[str, Any] = {"CLIP_stop_at_last_layers": picture.clip_skip, "sd_lora": "None"}
    if sd_model is not None and not shared.cmd_opts.freeze_settings:
        overrides["sd_model_checkpoint"] = sd_model.sd_checkpoint_info.title
    p = processing.StableDiffusionProcessingTxt2Img(
        sd_model=shared.sd_model, prompt=picture.prompt, negative_prompt=picture.negative, seed=picture.seed,
        steps=picture.steps, cfg_scale=picture.cfg, width=picture.width, height=picture.height,
        sampler_name=picture.sampler, batch_size=1, n_iter=1, do_not_save_samples=True, do_not_save_grid=True,
        do_not_reload_embeddings=True, override_settings=overrides)
    with closing(p):
        images = processing.process_images(p).images
    if sd_model is not None and shared.sd_model is not sd_model:
        raise HostError(GONE)
    if not images:
        raise Interrupted("The WebUI drew nothing; it was interrupted.")
    return images[0]

