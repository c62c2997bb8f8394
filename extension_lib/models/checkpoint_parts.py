"""The parts of a checkpoint's file: which tensors they are made of, whether those are there, and the loaded modules."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..errors import DarkroomError, is_out_of_memory
from ..export.tensor_part import take_part, whole_name, whole_shape
from ..families.family import Family
from ..host import HostError
from .detect import UNET
from .names import replace_prefix, unet_prefixes, vae_prefixes
from .text_names import checkpoint_name

VAE = "first_stage_model."
UNREADABLE: tuple[type[Exception], ...] = (OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError,
                                           RuntimeError)  # what diffusers raises for what it cannot read
TEXT_FOLDERS = ("text_encoder", "text_encoder_2")  # diffusers' names, in the order of a family's encoders


class Place(NamedTuple):
    """Where a parameter of a part is in checkpoints."""

    part: str  # diffusers' name: "unet", "vae", "text_encoder", "text_encoder_2"
    name: str  # the parameter's own
    tensor: str  # the checkpoint's; a part of a tensor ends as export/tensor_part.py says
    shape: tuple[int, ...]


@cache
def places(config: Path, family: Family) -> tuple[Place, ...]:
    """Of all parameters, for the configuration in a diffusers folder."""
    names: dict[str, Callable[[str], str]] = {
        "unet": lambda name: UNET + str(replace_prefix(name, unet_prefixes(family))),
        "vae": lambda name: VAE + str(replace_prefix(name, vae_prefixes())),
        **{folder: partial(checkpoint_name, encoder) for folder, encoder in zip(TEXT_FOLDERS, family.text_encoders)}}
    return tuple(Place(part, name, names[part](name), tuple(parameter.shape))
                 for part, module in empty_modules(config, family).items()
                 for name, parameter in module.named_parameters())


def empty_modules(config: Path, family: Family) -> dict[str, nn.Module]:
    """By diffusers' names, the parts without memory for their weights."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    with torch.device("meta"):
        made: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}
        modules = {part: kind.from_config(kind.load_config(config, subfolder=part)) for part, kind in made.items()}
        for folder, encoder in zip(TEXT_FOLDERS, family.text_encoders):
            text: Any = CLIPTextModelWithProjection if encoder.pools else CLIPTextModel
            modules[folder] = text(CLIPTextConfig.from_pretrained(config, subfolder=folder))
    return modules


def load_modules(path: Path, config: Path, family: Family, dtype: torch.dtype) -> dict[str, nn.Module]:
    """By diffusers' names, the checkpoint's parts, read tensor by tensor. Raises HostError."""
    vae = vae_beside(path)
    require_parts(path, config, family, vae)
    modules = empty_modules(config, family)
    with opened(path) as file, opened(vae or path) as vae_file:
        for part, module in modules.items():
            own = [place for place in places(config, family) if place.part == part]
            fill(module, own, vae_file if part == "vae" else file, dtype)
    return modules


def fill(module: nn.Module, own: list[Place], file: Any, dtype: torch.dtype) -> None:
    """Gives the module its weights, which are copies: the file may be replaced while the model is used."""
    held = set(file.keys())
    state = {place.name: read_place(file, held, place).to(dtype, copy=True) for place in own}
    module.load_state_dict(state, strict=False, assign=True)
    for name, buffer in module.named_buffers():
        if buffer.is_meta:  # CLIP's only one
            parent, _, leaf = name.rpartition(".")
            setattr(module.get_submodule(parent), leaf, torch.arange(buffer.shape[-1]).expand(buffer.shape))
    module.eval()


def read_place(file: Any, held: set[str], place: Place) -> Tensor:
    tensor = file.get_tensor(name_in(held, whole_name(place.tensor)))
    return take_part(place.tensor, tensor).reshape(place.shape).contiguous()


def vae_beside(path: Path) -> Path | None:
    """The VAE that the WebUI would use with this checkpoint: the file that is called after it."""
    beside = path.with_name(f"{path.stem}.vae.safetensors")
    return beside if beside.is_file() else None


def require_parts(path: Path, config: Path, family: Family, vae: Path | None) -> None:
    """Raises HostError where a tensor is missing or of another shape. vae: a file that has the VAE's instead."""
    wanted = places(config, family)
    of_vae = [place for place in wanted if place.part == "vae"]
    if vae:
        require_tensors(vae, family, of_vae)
        require_tensors(path, family, [place for place in wanted if place.part != "vae"])
        return
    with safe_open(path, "pt") as file:
        if not any(name.startswith(VAE) for name in file.keys()):  # noqa: SIM118
            raise HostError(f"{path.name} has no VAE, the part that turns pictures into latents and back. Put one "
                            f"beside it, named {path.stem}.vae.safetensors.")
    require_tensors(path, family, wanted)


def require_tensors(path: Path, family: Family, wanted: Iterable[Place]) -> None:
    """Raises HostError."""
    missing, shapes = [], {whole_name(place.tensor): whole_shape(place.tensor, place.shape) for place in wanted}
    with opened(path) as file:
        held = set(file.keys())
        for name, shape in shapes.items():
            found = name_in(held, name)
            if found is None:
                missing.append(name)
            elif not fits(name, tuple(file.get_slice(found).get_shape()), shape):
                raise HostError(f"{path.name} is damaged, or no {family.title}: its {found} has the shape "
                                f"{tuple(file.get_slice(found).get_shape())} instead of {shape}.")
    if missing:
        raise HostError(f"{path.name} is incomplete: {len(missing)} of its {len(shapes)} tensors are missing, such as "
                        f"{missing[0]}. Download it again.")


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise HostError(f"{path.name} is not a readable safetensors file ({error}).") from None


def name_in(held: Iterable[str], name: str) -> str | None:
    """What a file calls a tensor: old ones leave text_model out, and a VAE of its own has no prefix."""
    names = (name, name.replace(".text_model.", "."), name.removeprefix(VAE))
    return next((n for n in names if n in held), None)


def fits(name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """The VAE's attention is of 1x1 convolutions in checkpoints, of linear layers in diffusers."""
    return shape == wanted or name.startswith(VAE) and ".attn_1." in name and shape == (*wanted, 1, 1)


@contextmanager
def loading_errors(path: Path) -> Iterator[None]:
    """Within, what diffusers says of files that it cannot read becomes a HostError that names the checkpoint."""
    try:
        yield
    except (*UNREADABLE, *strict_errors()) as error:
        if isinstance(error, DarkroomError) or is_out_of_memory(error):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise HostError(f"{path.name} could not be loaded: {reason}. Look at the folder {path.stem} beside it, if "
                        "there is one: it says how the checkpoint is built.") from error


def strict_errors() -> tuple[type[Exception], ...]:
    """What newer versions raise for a configuration with impossible values."""
    from huggingface_hub import errors

    found = getattr(errors, "StrictDataclassError", None)
    return (found,) if found else ()
