"""A checkpoint's weights by the keys of their layers, read one at a time; told from names, without building a model."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..export.lora_names import SECOND_TEXT, TEXT, UNET
from ..export.tensor_part import TRANSPOSED, take_part, third, whole_name
from ..families.family import Family, TextEncoder
from ..models import detect
from ..models.names import inverted, lora_key, replace_prefix, unet_prefixes
from ..models.text_names import ELSEWHERE, IN_LAYER, PROJECTIONS
from .source import FileProblem

BLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)$")
FUSED = re.compile(r"attn\.in_proj_(weight|bias)$")


class Place(NamedTuple):
    """A parameter of a layer. leaf: "weight" or "bias"; name: the checkpoint's; a part of a tensor ends as
    export/tensor_part.py says.
    """

    key: str
    leaf: str
    name: str


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint."""

    path: Path
    family: Family
    file: Any = field(repr=False)
    names: list[str] = field(repr=False)

    @cached_property
    def places(self) -> dict[tuple[str, str], str]:
        """By key and leaf, the name of the parameter."""
        return {(place.key, place.leaf): place.name for name in self.names for place in places(name, self.family)}

    def has(self, key: str, leaf: str = "weight") -> bool:
        return (key, leaf) in self.places

    def parameter(self, key: str, leaf: str = "weight") -> Tensor:
        """In the checkpoint's precision."""
        name = self.places[key, leaf]
        return take_part(name, self.file.get_tensor(whole_name(name)))

    def shape(self, key: str, leaf: str = "weight") -> tuple[int, ...]:
        name = self.places[key, leaf]
        whole = tuple(self.file.get_slice(whole_name(name)).get_shape())
        return whole if whole_name(name) == name else whole[::-1] if name.endswith(TRANSPOSED) else (
            whole[0] // 3, *whole[1:])


@contextmanager
def opened_checkpoint(path: Path) -> Iterator[Checkpoint]:
    """Raises FileProblem for what is no checkpoint of a known family, HostError for another kind of it."""
    if not path.is_file():
        raise FileProblem(f"There is no checkpoint {path}.")
    if path.suffix.lower() in detect.PICKLES:
        raise FileProblem(f"{path.name} is of an older format, which can hold programs. Convert it: "
                          f"python -m extension_lib convert \"{path}\"")
    try:
        with safe_open(path, "pt") as file:
            names = list(file.keys())
            family = detect.family_of(set(names))
            if family is None or not detect.has(set(names), detect.UNET):
                raise FileProblem(f"{path.name} is not a Stable Diffusion checkpoint: it has no UNet with a CLIP text "
                                  "encoder.")
            yield Checkpoint(path, family, file, names)
    except (SafetensorError, OSError) as error:
        raise FileProblem(f"{path.name} is not a readable safetensors file: {error}.") from None


def places(name: str, family: Family) -> Iterator[Place]:
    """The parameters of layers that a checkpoint's tensor holds: none, one, or three in a fused attention."""
    if name.startswith(detect.UNET):
        path, _, leaf = name.removeprefix(detect.UNET).rpartition(".")
        ours = replace_prefix(path, inverted(unet_prefixes(family)))
        if ours and leaf in ("weight", "bias"):
            yield Place(lora_key(UNET, ours), leaf, name)
        return
    for encoder in family.text_encoders:
        if name.startswith(encoder.checkpoint):
            inside = name.removeprefix(encoder.checkpoint)
            find = openclip_places if encoder.openclip else clip_places
            yield from find(encoder, name, inside)


def text_key(encoder: TextEncoder, path: str) -> str:
    """The common key of a text encoder's layer."""
    return lora_key(SECOND_TEXT if encoder.part == "te2" else TEXT, path)


def clip_places(encoder: TextEncoder, name: str, inside: str) -> Iterator[Place]:
    path, _, leaf = inside.rpartition(".")
    if leaf in ("weight", "bias"):  # old files leave text_model out
        yield Place(text_key(encoder, path if path.startswith("text_") else f"text_model.{path}"), leaf, name)


def openclip_places(encoder: TextEncoder, name: str, inside: str) -> Iterator[Place]:
    if block := BLOCK.match(inside):
        layer = f"text_model.encoder.layers.{block[1]}"
        if fused := FUSED.match(block[2]):
            for number, projection in enumerate(PROJECTIONS):
                yield Place(text_key(encoder, f"{layer}.self_attn.{projection}"), fused[1], name + third(number))
            return
        path, _, leaf = block[2].rpartition(".")
        if path in inverted(IN_LAYER):
            yield Place(text_key(encoder, f"{layer}.{inverted(IN_LAYER)[path]}"), leaf, name)
        return
    for ours, theirs in ELSEWHERE.items():
        if inside == theirs.removesuffix(TRANSPOSED):
            path, _, leaf = ours.rpartition(".")
            named = path if path.startswith("text_projection") else f"text_model.{path}"
            yield Place(text_key(encoder, named), leaf, name + (TRANSPOSED if theirs.endswith(TRANSPOSED) else ""))
