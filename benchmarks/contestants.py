"""Who takes part in the benchmark of speed: ours, PEFT on diffusers, LyCORIS' modules, and kohya's LoRA module.

All are attached to the same UNet of diffusers' classes with random weights, with the same layers, rank and alpha.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch

from extension_lib.families import SD1, SDXL
from extension_lib.families.family import Family
from extension_lib.methods.base import Method, NewWord
from extension_lib.methods.dreambooth import Dreambooth
from extension_lib.methods.loha import Loha
from extension_lib.methods.lokr import Lokr
from extension_lib.methods.lora import Lora
from extension_lib.methods.textual_inversion import TextualInversion
from extension_lib.model import Diffusion, Layer
from extension_lib.models.clip_vocabulary import clip_tokenizer
from extension_lib.models.diffusers_pipeline import CONFIGS
from extension_lib.models.diffusers_view import DiffusersView

RANK = 8
LORA = Lora(rank=RANK, text_rate=0.0)
OURS: dict[str, Method] = {
    "LoRA": LORA, "LoHa": Loha(rank=RANK, text_rate=0.0), "LoKr": Lokr(rank=RANK, factor=-1, text_rate=0.0),
    "DreamBooth": Dreambooth(text_rate=0.0), "Textual Inversion": TextualInversion(vectors=4)}
FAMILIES = {"sd1": SD1, "sdxl": SDXL}


@dataclass(frozen=True)
class Contestant:
    """attach: trains the view's model in this way while the context lasts, and gives what is trained."""

    method: str  # a key of OURS
    who: str
    attach: Callable[[DiffusersView], AbstractContextManager[list[torch.Tensor]]]

    @property
    def title(self) -> str:
        return f"{self.who}: {self.method}"


def random_view(family: Family, dtype: torch.dtype, device: torch.device, text: bool) -> DiffusersView:
    """A model of full size without an autoencoder; text: with its text encoder, of Stable Diffusion 1 alone."""
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    def config(part: str) -> dict[str, Any]:
        return dict(json.loads((CONFIGS / family.name / part / "config.json").read_text(encoding="utf-8")))

    torch.manual_seed(0)
    torch.set_default_dtype(dtype)
    try:
        unet = UNet2DConditionModel.from_config(config("unet")).requires_grad_(False)
        parts = {"text_encoder": CLIPTextModel(CLIPTextConfig(**config("text_encoder"))).requires_grad_(False),
                 "tokenizer": clip_tokenizer()} if text else {}
    finally:
        torch.set_default_dtype(torch.float32)
    for module in (unet, *(part for part in parts.values() if isinstance(part, torch.nn.Module))):
        module.to(device)
    pipeline = SimpleNamespace(unet=unet, vae=None, components=parts)
    return DiffusersView(pipeline, device, dtype, family, Diffusion(torch.ones(1000), "eps"))


def chosen_layers(view: DiffusersView) -> list[Layer]:
    return LORA.select_layers(list(view.unet_layers()))


@contextmanager
def ours(view: DiffusersView, method: Method) -> Iterator[list[torch.Tensor]]:
    trainable = method.attach(view, 0, (NewWord("zwx", "cat"),))
    try:
        yield [p for group in trainable.groups() for p in group.parameters]
    finally:
        trainable.detach()


@contextmanager
def channels_last(view: DiffusersView, method: Method) -> Iterator[list[torch.Tensor]]:
    """As ours, with the UNet's convolutions in the other order of memory."""
    view.unet.to(memory_format=torch.channels_last)
    try:
        with ours(view, method) as trained:
            yield trained
    finally:
        view.unet.to(memory_format=torch.contiguous_format)


@contextmanager
def peft(view: DiffusersView, method: str) -> Iterator[list[torch.Tensor]]:
    from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
    from peft.tuners.tuners_utils import BaseTunerLayer

    make = {"LoRA": lambda **kw: LoraConfig(r=RANK, lora_alpha=RANK, **kw),
            "LoHa": lambda **kw: LoHaConfig(r=RANK, alpha=RANK, **kw),
            "LoKr": lambda **kw: LoKrConfig(r=RANK, alpha=RANK, **kw)}[method]
    names = {id(module): name for name, module in view.unet.named_modules()}
    inject_adapter_in_model(make(target_modules=[names[id(layer.module)] for layer in chosen_layers(view)]), view.unet)
    trained = [p for p in view.unet.parameters() if p.requires_grad]
    for p in trained:
        p.data = p.data.float()
    try:
        yield trained
    finally:
        for name, module in [(n, m) for n, m in view.unet.named_modules() if isinstance(m, BaseTunerLayer)]:
            parent, _, child = name.rpartition(".")
            setattr(view.unet.get_submodule(parent), child, module.get_base_layer())
        view.unet.__dict__.pop("peft_config", None)


@contextmanager
def lycoris(view: DiffusersView, method: str, bypass: bool) -> Iterator[list[torch.Tensor]]:
    """LyCORIS' own modules and way of applying themselves; bypass: without building the changed weight."""
    from lycoris.modules.locon import LoConModule
    from lycoris.modules.loha import LohaModule
    from lycoris.modules.lokr import LokrModule

    make = {"LoRA": LoConModule, "LoHa": LohaModule, "LoKr": LokrModule}[method]
    modules = [make(layer.key, layer.module, lora_dim=RANK, alpha=RANK, bypass_mode=bypass)
               for layer in chosen_layers(view)]
    for module in modules:
        module.train()
        module.apply_to()
    try:
        yield [p for module in modules for p in module.parameters()]
    finally:
        for module in reversed(modules):
            module.restore()


@contextmanager
def kohya(view: DiffusersView) -> Iterator[list[torch.Tensor]]:
    """The LoRA module in the folder that KOHYA_DIR names."""
    sys.path.insert(0, os.environ["KOHYA_DIR"])
    from networks.lora import LoRAModule

    modules = []
    for layer in chosen_layers(view):
        modules.append((layer.module, vars(layer.module).get("forward"),
                        LoRAModule(layer.key, layer.module, lora_dim=RANK, alpha=RANK)))
        modules[-1][-1].apply_to()
    try:
        yield [p for _, _, module in modules for p in module.parameters()]
    finally:
        sys.path.remove(os.environ["KOHYA_DIR"])
        for layer_module, _, _ in modules:
            vars(layer_module).pop("forward", None)


@contextmanager
def plain_dreambooth(view: DiffusersView) -> Iterator[list[torch.Tensor]]:
    """diffusers' UNet, trained as it is."""
    view.unet.requires_grad_(True)
    try:
        yield list(view.unet.parameters())
    finally:
        view.unet.requires_grad_(False)


def contestants(kohya_too: bool) -> list[Contestant]:
    def one(method: str, who: str, attach: Any, *more: Any) -> Contestant:
        return Contestant(method, who, lambda view: attach(view, *more))

    adapters = ("LoRA", "LoHa", "LoKr")
    return [
        *(one(name, "Darkroom", ours, method) for name, method in OURS.items()),
        one("LoRA", "Darkroom, channels last", channels_last, OURS["LoRA"]),
        *(one(name, "PEFT", peft, name) for name in adapters),
        *(one(name, "LyCORIS", lycoris, name, False) for name in adapters),
        *(one(name, "LyCORIS, bypass", lycoris, name, True) for name in adapters),
        one("DreamBooth", "diffusers", plain_dreambooth),
        *([one("LoRA", "kohya", kohya)] if kohya_too else []),
    ]
