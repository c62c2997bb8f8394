"""Forge and Neo: a model of our own is trained, built from the same file, while Forge's is unloaded.

Forge's own consists of inference tensors, which cannot be trained.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from backend import memory_management
from modules import sd_models, shared
from torch import Tensor

from ...diffusion.prompts import tokens_of
from ...events import Event
from ...families.kind import CheckpointKind
from ...host import Checkpoint, HostError, Picture
from ...methods.adapter import AdapterSettings
from ...methods.product import HYPERNETWORK
from ...model import Model
from ...models.clip_vocabulary import clip_tokenizer
from ...models.detect import contradictions, kind_of, require_trainable
from ...models.diffusers_pipeline import diffusion_of
from ...models.diffusers_view import DiffusersView, load_view
from ...models.frozen import frozen
from ..a1111 import folders as webui_folders
from ..a1111 import queue, txt2img
from ..a1111.queue import holding_queue, outliving_reload
from ..drawing.drawing import draw_with_files
from . import loaders, tried, unloaded
from .differences import has_captioners, lora_extension, recognized, title
from .names import shapes_in


class Forge:
    name = "forge"
    unsupported = ""

    def __init__(self) -> None:
        self.folders = webui_folders.folders()
        self.borrowed: tuple[Checkpoint, DiffusersView] | None = None
        self.borrower: int | None = None  # the thread that trains

    @property
    def borrowed_here(self) -> tuple[Checkpoint, DiffusersView] | None:
        """The borrowed model, for the thread that borrowed it. Other threads wait for Forge's queue."""
        return self.borrowed if self.borrower == threading.get_ident() else None

    def checkpoints(self) -> list[Checkpoint]:
        return webui_folders.checkpoints()

    def current(self) -> Checkpoint | None:
        info = (sd_models.model_data.forge_loading_parameters.get("checkpoint_info")
                or sd_models.checkpoint_aliases.get(shared.opts.sd_model_checkpoint))
        return webui_folders.as_checkpoint(info) if info else next(iter(self.checkpoints()), None)

    def kind(self, checkpoint: Checkpoint) -> CheckpointKind | None:
        return kind_of(checkpoint)

    def advice(self, checkpoint: Checkpoint) -> list[str]:
        said = contradictions(checkpoint)
        if self.kind(checkpoint) and recognized(shapes_in(checkpoint.path)) is None:
            said.append(f"{title()} does not recognise {checkpoint.path.name}, so it draws nothing with it.")
        return said

    def missing_description(self, checkpoint: Checkpoint) -> None:
        """Forge reads what a checkpoint predicts from its keys."""

    def write_description(self, checkpoint: Checkpoint) -> Path:
        raise HostError("No description is missing here.")

    def unusable(self, method: Any) -> str:
        if method.product is HYPERNETWORK:
            return (f"{title()} does not use hypernetworks. Train LoRA, which it uses, or train in AUTOMATIC1111's "
                    "WebUI.")
        if isinstance(method, AdapterSettings) and loaders.unread_alone(tried.layer_tensors(method)):
            return (f"{title()} does not read {method.title}. Train LoRA, LoHa or LoKr, which it reads, or train in "
                    "AUTOMATIC1111's WebUI.")
        return ""

    def unread(self, tensors: Mapping[str, Tensor]) -> list[str]:
        checkpoint, view = self.borrowed_or_fail()
        return loaders.unread(tensors, view, checkpoint)

    def tokens(self) -> Callable[[str], Sequence[int]]:
        return lambda text: tokens_of(self.tokenizer, text)

    @cached_property
    def tokenizer(self) -> Any:
        return clip_tokenizer()

    def captioners(self) -> tuple[str, ...]:
        if not has_captioners():
            return ()
        from ..a1111.captioning import captioner_names

        return captioner_names()

    def caption(self, how: str, images: Iterable[Any]) -> Iterator[str]:
        from ..a1111.captioning import captions

        with holding_queue("Darkroom captions"):
            for text in captions(how, images):
                yield text
                if self.stopping():
                    return

    @contextmanager
    def borrow(self, checkpoint: Checkpoint) -> Iterator[Model]:
        kind = require_trainable(checkpoint.path)
        with (holding_queue("Darkroom"), outliving_reload(), unloaded.model_unloaded(), torch.inference_mode(False),
              torch.enable_grad()):
            device = torch.device(memory_management.get_torch_device())
            view = load_view(checkpoint.path, device, compute_type(device))
            if checkpoint.prediction:
                view.diffusion = diffusion_of(view.pipeline, kind, checkpoint.prediction)
            try:
                with frozen(view.unet, *view.text_models, view.vae):
                    self.borrowed, self.borrower = (checkpoint, view), threading.get_ident()
                    try:
                        yield view
                    finally:
                        self.borrowed = self.borrower = None
                        view.unpark()
            finally:
                unloaded.emptied(view)

    def draw(self, pictures: list[Picture]) -> list[Any]:
        if (borrowed := self.borrowed_here) is None:
            with holding_queue("Darkroom pictures"):
                return [txt2img.draw_picture(p) for p in pictures]
        with borrowed[1].unparked():
            return draw_with_files(borrowed[1], self.folders, pictures)

    def read_back(self, path: Path, kind: str) -> Mapping[str, Tensor]:
        checkpoint, view = self.borrowed_or_fail()
        return loaders.LOADERS[kind](path, view, checkpoint)

    def borrowed_or_fail(self) -> tuple[Checkpoint, DiffusersView]:
        if (borrowed := self.borrowed_here) is None:
            raise HostError("No model is borrowed.")
        return borrowed

    def forget(self, path: Path) -> None:
        with nullcontext() if self.borrowed_here else holding_queue("Darkroom"):
            unloaded.forget_file(path)

    def show(self, event: Event) -> None:
        queue.show(event)

    def wanted(self) -> bool:
        return queue.is_wanted()

    def stopping(self) -> bool:
        return queue.stopping()

    def refresh(self) -> None:
        if networks := lora_extension():
            networks.list_available_networks()
        sd_models.list_models()
        unloaded.reload_embeddings()


def compute_type(device: torch.device) -> torch.dtype:
    """fp16 where Forge computes in it too and torch can train in it, else fp32."""
    half = device.type == "cuda" and memory_management.should_use_fp16(device)
    return torch.float16 if half else torch.float32
