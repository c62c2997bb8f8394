"""A loaded model seen through a few verbs: what LDM's and diffusers' classes have in common."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..families.family import Family
from ..model import Condition, Diffusion, Layer, Weight, computes_in
from ..support.autocast import autocast_off
from ..support.digests import digest_of
from ..support.meta import META
from .frozen import fingerprint
from .names import unet_block, unet_keys
from .offload import Offload
from .shapes import bytes_of, weightless
from .text_encoder import ADAPTABLE, LoadedTextEncoder
from .tiles import encoded_in_tiles, is_large


class View:
    """UNet, autoencoder and text encoders of a loaded model. Subclasses say how they are called and named."""

    checkpointed: tuple[str, ...] = ()  # class names of the blocks whose activations may be recomputed

    def __init__(self, family: Family, unet: Any, vae: Any, text_encoders: list[LoadedTextEncoder],
                 diffusion: Diffusion, device: torch.device, compute: torch.dtype):
        self.family, self.diffusion, self.device, self.compute = family, diffusion, device, compute
        self.unet, self.vae, self.text_encoders = unet, vae, text_encoders
        self.parked: set[str] = set()
        self.offload: Offload | None = None

    @property
    def text_models(self) -> list[nn.Module]:
        return [encoder.model for encoder in self.text_encoders]

    def layers(self) -> list[Layer]:
        return [*self.unet_layers(), *(layer for encoder in self.text_encoders for layer in encoder.layers())]

    def unet_layers(self) -> Iterator[Layer]:
        for name, module in self.unet.named_modules():
            path = self.unet_path(name) if isinstance(module, ADAPTABLE) else None
            if path is not None:
                yield Layer(path, "unet", unet_block(path, self.family), module, tuple(module.weight.shape),
                            *unet_keys(path, self.family))

    def unet_path(self, name: str) -> str | None:
        """diffusers' path of a UNet module, given its own; None where LoRA files have no name for it."""
        raise NotImplementedError

    def weights(self) -> list[Weight]:
        return [*(Weight(f"model.diffusion_model.{self.compvis_path(name)}", "unet", parameter)
                  for name, parameter in self.unet.named_parameters()),
                *(weight for encoder in self.text_encoders for weight in encoder.weights())]

    def broken_weight(self) -> str:
        """The name of a weight that holds values that are not numbers; "" where there is none."""
        parts = [("unet", self.unet), *(("te", model) for model in self.text_models), ("vae", self.vae)]
        return next((f"{part}.{name}" for part, module in parts for name, parameter in module.named_parameters()
                     if not (parameter if computes_in(parameter.dtype) else parameter.half()).isfinite().all()), "")

    def compvis_path(self, name: str) -> str:
        """The path of a UNet's parameter in checkpoints, given its own."""
        raise NotImplementedError

    def unet_blocks(self) -> list[nn.Module]:
        return [module for module in self.unet.modules() if type(module).__name__ in self.checkpointed]

    def blocks(self) -> list[nn.Module]:
        return [*self.unet_blocks(), *(module for model in self.text_models for module in model.modules()
                                       if type(module).__name__ in ("CLIPEncoderLayer", "ResidualAttentionBlock"))]

    @torch.no_grad()
    def encode_images(self, pixels: Tensor) -> Tensor:
        """The mean of the posterior, scaled; its variance is too small to see."""
        self.fetch("vae")
        encode = partial(self.without_overflow, self.posterior_mean)
        latents = encoded_in_tiles(encode, pixels) if is_large(pixels) else encode(pixels)
        return latents * self.family.latent_scale

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """(b, 4, h/8, w/8) scaled latents to (b, 3, h, w) fp32 in [-1, 1], or a little beyond."""
        self.fetch("vae")
        return self.without_overflow(self.decoded, latents / self.family.latent_scale)

    def without_overflow(self, compute: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
        """What the autoencoder computes, fp32; in full precision where it overflows in half precision, as that of
        Stable Diffusion XL does. The conversion to fp32 and back loses nothing.
        """
        weight = next(self.vae.parameters())
        with autocast_off(self.device):
            computed = compute(given.to(weight.device, weight.dtype)).float()
            if computed.isfinite().all() or weight.dtype == torch.float32:
                return computed
            before = weight.dtype
            self.vae.to(torch.float32)
            try:
                return compute(given.to(weight.device, torch.float32))
            finally:
                self.vae.to(before)

    def posterior_mean(self, pixels: Tensor) -> Tensor:
        raise NotImplementedError

    def decoded(self, latents: Tensor) -> Tensor:
        raise NotImplementedError

    def encode_prompts(self, prompts: list[str], clip_skip: int = 1, syntax: bool = False) -> Condition:
        self.fetch("te")
        skip = clip_skip if self.family.clip_skip else 1
        cut = [encoder.cut(prompts, syntax) for encoder in self.text_encoders]
        count = max(len(chunks) for rows in cut for chunks in rows)
        parts = [encoder.encode(rows, count, skip) for encoder, rows in zip(self.text_encoders, cut)]
        pooled = [vector for _, vector in parts if vector is not None]
        return Condition(torch.cat([hidden for hidden, _ in parts], dim=2),
                         torch.cat(pooled, dim=1) if pooled else None)

    def encoder_digest(self, part: str) -> str:
        weights = [(name, str(held.dtype), tuple(held.shape), fingerprint(held.detach()))
                   for name, held in self.module_of(part).named_parameters()]
        return digest_of(part, self.family.name, self.device.type, str(self.compute), weights)

    def prompt_digest(self, prompt: str, clip_skip: int = 1, syntax: bool = False) -> str:
        given = [[(chunk.ids, chunk.weights, [(fix.place, fingerprint(fix.vectors.detach())) for fix in chunk.fixes])
                  for chunk in encoder.cut([prompt], syntax)[0]] for encoder in self.text_encoders]
        return digest_of(clip_skip, given)

    def vocabularies(self) -> dict[str, Tensor]:
        return {encoder.names.vectors: encoder.vocabulary() for encoder in self.text_encoders}

    def tokens(self, text: str) -> list[int]:
        return self.text_encoders[0].tokens(text)

    def add_word(self, name: str, vectors: Mapping[str, Tensor]) -> None:
        for encoder in self.text_encoders:
            encoder.add_word(name, vectors[encoder.names.vectors])

    def has_word(self, name: str) -> bool:
        return self.text_encoders[0].words.has(name)

    def remove_word(self, name: str) -> None:
        for encoder in self.text_encoders:
            encoder.words.remove(name)

    def predict(self, noisy: Tensor, t: Tensor, condition: Condition) -> Tensor:
        self.fetch("unet")
        stored = next(self.unet.parameters()).dtype
        given = stored if computes_in(stored) else self.compute
        return self.call_unet(noisy.to(given), t, *condition.inputs(given)).float()

    def call_unet(self, noisy: Tensor, t: Tensor, hidden: Tensor, pooled: Tensor | None,
                  sizes: Tensor | None) -> Tensor:
        raise NotImplementedError

    def autocast(self) -> AbstractContextManager:
        plain = self.compute == torch.float32 or self.device == META  # whoever computes there casts
        return nullcontext() if plain else torch.autocast(self.device.type, self.compute)

    def park(self, part: str) -> None:
        self.module_of(part).to("cpu")
        self.parked.add(part)

    def fetch(self, part: str) -> None:
        if part in self.parked:
            self.to_device(part)
            self.parked.remove(part)

    def to_device(self, part: str) -> None:
        """Without what waits in the system's memory."""
        module, offload = self.module_of(part), self.offload
        if part != "unet" or not offload:
            module.to(self.device)
            return
        for tensor in (*module.parameters(), *module.buffers()):
            if not offload.has(tensor):
                tensor.data = tensor.data.to(self.device)

    @contextmanager
    def offloaded(self) -> Iterator[None]:
        self.offload = Offload(self.unet_blocks(), self.device)
        try:
            yield
        finally:
            self.offload.end()
            self.offload = None

    def block_sizes(self) -> list[int]:
        return [bytes_of([block]) for block in self.unet_blocks()]

    def unpark(self) -> None:
        for part in tuple(self.parked):
            self.fetch(part)

    @contextmanager
    def unparked(self) -> Iterator[None]:
        """Within, all parts are on the device, as drawing needs them."""
        parked = tuple(self.parked)
        self.unpark()
        try:
            yield
        finally:
            for part in parked:
                self.park(part)

    @contextmanager
    def weightless(self) -> Iterator[None]:
        before = self.device, self.parked
        with weightless((self.unet, self.vae, *self.text_models)):
            self.device, self.parked = META, set()
            try:
                yield
            finally:
                self.device, self.parked = before

    def sizes(self) -> dict[str, int]:
        return {"unet": bytes_of([self.unet]), **{part: bytes_of([self.module_of(part)]) for part in ("te", "vae")}}

    def held(self) -> int:
        return bytes_of((self.unet, self.vae, *self.text_models), self.device.type)

    def exposed(self) -> AbstractContextManager[None]:
        """Within, layers that a host's classes have fused can be adapted one by one."""
        return nullcontext()

    def module_of(self, part: str) -> nn.Module:
        return {"unet": self.unet, "vae": self.vae, "te": nn.ModuleList(self.text_models)}[part]
