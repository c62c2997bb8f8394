"""What training needs of a diffusion model: a few verbs, the same for every host."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from .families.family import Family

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


FUSED = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")


class Layer(NamedTuple):
    """A layer that can be adapted."""

    path: str  # diffusers' and transformers', whatever the host's: "mid_block.attentions.0.transformer_blocks.0.norm1"
    part: str  # "unet", "te1", "te2"
    block: str  # "IN04", "MID", "OUT11", "BASE"
    module: Any  # nn.Module
    shape: tuple[int, ...]  # of the true weight, also when it is stored quantised
    key: str  # as LoRA files of this family name it: "lora_unet_mid_block_attentions_0_transformer_blocks_0_norm1"
    other_key: str = ""  # as files of some programs name it: "lora_unet_middle_block_1_transformer_blocks_0_norm1"
    openclip: bool = False  # whether the WebUI holds it as OpenCLIP's, where it applies less

    @property
    def fused(self) -> bool:
        """Whether the WebUI holds its weight as a third of a larger one, where it applies no bias."""
        return self.openclip and self.path.endswith(FUSED)


class Weight(NamedTuple):
    """A parameter of the model under its name in the checkpoint's file."""

    name: str  # "model.diffusion_model.input_blocks.0.0.weight"; a part of a tensor ends as export/tensor_part.py says
    part: str  # "unet", "te1"
    parameter: Any  # nn.Parameter


@dataclass(frozen=True)
class Condition:
    """Encoded prompts, a row each. Others than this file do not look at its tensors."""

    hidden: "Tensor"  # (prompts, tokens, width); as many tokens as the encoder takes at once, or several times that
    pooled: "Tensor | None" = None  # (prompts, width), of each prompt's first chunk; None: the family has none
    sizes: "Tensor | None" = None  # (prompts, 6) pixels: each picture's Framing; None where no picture is meant yet

    @staticmethod
    def joined(parts: "Sequence[Condition]", empty: "Condition | None" = None) -> "Condition":
        """The rows of all parts; those with fewer tokens are filled up with the empty prompt, as encode_prompts does.

        empty: may be left out where all have as many tokens.
        """
        import torch

        longest = max(part.tokens for part in parts)
        hidden, *others = zip(*(part.filled_up(longest, empty).tensors() for part in parts))
        return Condition(torch.cat(hidden), *(None if held[0] is None else torch.cat(held) for held in others))

    @property
    def tokens(self) -> int:
        return self.hidden.shape[1]

    def tensors(self) -> "tuple[Tensor, Tensor | None, Tensor | None]":
        return self.hidden, self.pooled, self.sizes

    def named(self) -> "dict[str, Tensor]":
        """Its tensors by name: Condition(**named) is the same again."""
        return {name: held for name, held in vars(self).items() if held is not None}

    def inputs(self, dtype: "torch.dtype") -> "tuple[Tensor, Tensor | None, Tensor | None]":
        """What a UNet of this precision is called with: hidden, pooled and sizes, which stay exact."""
        return self.hidden.to(dtype), None if self.pooled is None else self.pooled.to(dtype), self.sizes

    def each(self, change: "Callable[[Tensor], Tensor]") -> "Condition":
        hidden, *others = self.tensors()
        return Condition(change(hidden), *(None if held is None else change(held) for held in others))

    def rows(self, which: "slice | list[int]") -> "Condition":
        return self.each(lambda held: held[which])

    def to(self, device: "torch.device") -> "Condition":
        return self.each(lambda held: held.to(device))

    def cpu(self) -> "Condition":
        return self.each(lambda held: held.cpu())

    def float(self) -> "Condition":
        return self.each(lambda held: held.float())

    def sized(self, sizes: "Tensor") -> "Condition":
        """For pictures of these sizes (prompts, 6)."""
        return replace(self, sizes=sizes.to(self.hidden.device))

    def zeroed(self, which: "Sequence[bool]") -> "Condition":
        """With zeros in these rows, as the WebUI has it for empty negative prompts of families that know sizes."""
        import torch

        kept = ~torch.tensor(which, device=self.hidden.device)
        return replace(self, hidden=self.hidden * kept[:, None, None],
                       pooled=None if self.pooled is None else self.pooled * kept[:, None])

    def filled_up(self, tokens: int, empty: "Condition | None" = None) -> "Condition":
        """With so many tokens, those of the empty prompt behind its own."""
        import torch

        missing = tokens - self.tokens
        if not missing:
            return self
        assert empty  # only as long ones can be joined without it
        behind = empty.hidden.expand(len(self.hidden), -1, -1)
        return replace(self, hidden=torch.cat([self.hidden, *[behind] * (missing // empty.tokens)], dim=1))


class Framing(NamedTuple):
    """What a family with size conditioning is told of a picture, in pixels (Podell et al., 2023, arXiv:2307.01952)."""

    original: tuple[int, int]  # height and width of the file as read
    corner: tuple[int, int]  # top and left of the crop in the scaled picture, after mirroring
    target: tuple[int, int]  # height and width of what is trained on or drawn

    @property
    def numbers(self) -> tuple[int, ...]:
        return (*self.original, *self.corner, *self.target)

    @staticmethod
    def of(numbers: Sequence[int]) -> "Framing":
        height, width, top, left, target_height, target_width = numbers
        return Framing((height, width), (top, left), (target_height, target_width))


def sizes_of(framings: Sequence[Framing]) -> "Tensor":
    """(pictures, 6) fp32, as Condition has them."""
    import torch

    return torch.tensor([framing.numbers for framing in framings], dtype=torch.float32)


HARDLY = 1e-6  # alphas_cumprod at the end of a schedule with zero terminal SNR; 0.0047 is usual


@dataclass(frozen=True)
class Diffusion:
    """The noise process of a checkpoint, for training and drawing alike.

    alphas_cumprod: (timesteps,) fp32 on the CPU; prediction: "eps" or "v".
    """

    alphas_cumprod: "Tensor"
    prediction: str

    @property
    def zero_snr(self) -> bool:
        """Whether hardly any signal is left at the end."""
        return self.alphas_cumprod[-1].item() < HARDLY


def computes_in(dtype: "torch.dtype") -> bool:
    """False for numbers of 8 bits, which weights are only stored in."""
    return dtype.itemsize > 1


class Model(Protocol):
    """A model borrowed from a host. Autograd works on it; its own weights do not change."""

    family: Family
    diffusion: Diffusion
    device: "torch.device"
    compute: "torch.dtype"  # what the forward pass computes in

    def layers(self) -> list[Layer]:
        """All layers of UNet and text encoders that an adapter can be attached to, in a fixed order."""

    def weights(self) -> list[Weight]:
        """All parameters of UNet and text encoders, without the embeddings of tokens and positions."""

    def broken_weight(self) -> str:
        """The name of a weight that holds values that are not numbers; "" where there is none."""

    def blocks(self) -> list["nn.Module"]:
        """The blocks whose activations gradient checkpointing recomputes."""

    def encode_images(self, pixels: "Tensor") -> "Tensor":
        """(b, 3, h, w) in [-1, 1] to scaled latents (b, 4, h/8, w/8) fp32, without gradient. Large ones are
        encoded in parts."""

    def decode(self, latents: "Tensor") -> "Tensor":
        """Scaled latents (b, 4, h/8, w/8) to (b, 3, h, w) fp32 in [-1, 1], or a little beyond."""

    def encode_prompts(self, prompts: list[str], clip_skip: int = 1, syntax: bool = False) -> Condition:
        """Prompts as literal text, or with (weights:1.2) when syntax is on; with gradient where there is one."""

    def encoder_digest(self, part: str) -> str:
        """Of "vae" or "te" (the text encoders): weights, precision and kind of device, which decide what it makes."""

    def prompt_digest(self, prompt: str, clip_skip: int = 1, syntax: bool = False) -> str:
        """Of what the text encoders are given for a prompt: tokens, weights, and the vectors that words have now."""

    def vocabularies(self) -> "dict[str, Tensor]":
        """By the text encoder's name in embedding files, (tokens, width): the vectors of all tokens; not to be
        changed.
        """

    def tokens(self, text: str) -> list[int]:
        """The text's tokens in the first encoder, without start and end."""

    def add_word(self, name: str, vectors: "Mapping[str, Tensor]") -> None:
        """From now on the name means these vectors (n, width), a set for each vocabulary, in every prompt.

        They are not copied, and take gradients.
        """

    def remove_word(self, name: str) -> None:
        """The name is plain text again."""

    def predict(self, noisy: "Tensor", t: "Tensor", condition: Condition) -> "Tensor":
        """The UNet's prediction for noisy latents (b, 4, h, w) at timesteps t (b,); fp32."""

    def autocast(self) -> AbstractContextManager:
        """The mixed precision of this model. To be entered for each step anew: autocast caches converted weights."""

    def weightless(self) -> AbstractContextManager[None]:
        """Within, its weights are shapes on the meta device, and so is what is attached to it."""

    def sizes(self) -> dict[str, int]:
        """Bytes of the weights of "unet", "te" (the text encoders) and "vae", wherever they are."""

    def held(self) -> int:
        """Bytes of the weights that are on the device now."""

    def park(self, part: str) -> None:
        """Moves "unet", "vae" or "te" (the text encoders) to the CPU until it is needed or the model is given back."""

    def offloaded(self) -> AbstractContextManager[None]:
        """Within, each of the UNet's blocks is on the device only while it computes, and waits in the system's memory.
        All of them must be among those that gradient checkpointing recomputes, and none is trained itself.
        """

    def block_sizes(self) -> list[int]:
        """Bytes of the weights of each of those blocks."""

    def fetch(self, part: str) -> None:
        """Moves a part to the device, where it is not already. All but `weights` and `layers` do that themselves."""
