"""The parts of a Stable Diffusion 1 checkpoint: the tensors they must have, and those that diffusers cannot read."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ..errors import DarkroomError, is_out_of_memory
from ..families.sd1 import SD1
from ..host import HostError
from .names import replace_prefix, unet_prefixes, vae_prefixes
from .text_encoder import text_path

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", SD1.text_encoders[0].checkpoint
Shapes = dict[str, tuple[int, ...]]


@cache
def wanted_shapes(config: Path) -> Shapes:
    """The tensors of a checkpoint by their names, for the configuration in a diffusers folder."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel

    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(config, subfolder="unet"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(config, subfolder="vae"))
        text = CLIPTextModel(text_config(config))
    return {**{UNET + str(replace_prefix(name, unet_prefixes(SD1))): tuple(p.shape)
               for name, p in unet.named_parameters()},
            **{VAE + str(replace_prefix(name, vae_prefixes())): tuple(p.shape) for name, p in vae.named_parameters()},
            **{TEXT + text_path(name): tuple(p.shape) for name, p in text.named_parameters()}}


def text_config(config: Path) -> Any:
    from transformers import CLIPTextConfig

    return CLIPTextConfig.from_pretrained(config, subfolder="text_encoder")


def vae_beside(path: Path) -> Path | None:
    """The VAE that the WebUI would use with this checkpoint: the file that is called after it."""
    beside = path.with_name(f"{path.stem}.vae.safetensors")
    return beside if beside.is_file() else None


def require_parts(path: Path, config: Path, vae: Path | None) -> None:
    """Raises HostError where a tensor is missing or of another shape. vae: a file that has the VAE's instead."""
    wanted = wanted_shapes(config)
    of_vae = {name: shape for name, shape in wanted.items() if name.startswith(VAE)}
    if vae:
        require_tensors(vae, of_vae)
        require_tensors(path, {name: shape for name, shape in wanted.items() if name not in of_vae})
        return
    with safe_open(path, "pt") as file:
        if not any(name.startswith(VAE) for name in file.keys()):  # noqa: SIM118
            raise HostError(f"{path.name} has no VAE, the part that turns pictures into latents and back. Put one "
                            f"beside it, named {path.stem}.vae.safetensors.")
    require_tensors(path, wanted)


def require_tensors(path: Path, wanted: Shapes) -> None:
    """Raises HostError."""
    missing = []
    with opened(path) as file:
        held = set(file.keys())
        for name, shape in wanted.items():
            found = name_in(held, name)
            if found is None:
                missing.append(name)
            elif not fits(name, tuple(file.get_slice(found).get_shape()), shape):
                raise HostError(f"{path.name} is damaged, or no Stable Diffusion 1: its {found} has the shape "
                                f"{tuple(file.get_slice(found).get_shape())} instead of {shape}.")
    if missing:
        raise HostError(f"{path.name} is incomplete: {len(missing)} of its {len(wanted)} tensors are missing, such as "
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


def text_encoder(path: Path, config: Path, dtype: torch.dtype) -> Any:
    """transformers' CLIPTextModel with the checkpoint's weights, under old names too, which diffusers cannot read."""
    from transformers import CLIPTextModel

    model: Any = CLIPTextModel(text_config(config))
    with opened(path) as file:
        held = set(file.keys())
        own = {name: file.get_tensor(name_in(held, TEXT + text_path(name))) for name, _ in model.named_parameters()}
    model.load_state_dict({**model.state_dict(), **own})
    return model.to(dtype).eval()


@contextmanager
def loading_errors(path: Path) -> Iterator[None]:
    """Within, what diffusers says of files that it cannot read becomes a HostError that names the checkpoint."""
    from huggingface_hub.errors import StrictDataclassError

    try:
        yield
    except (OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError,
            StrictDataclassError) as error:
        if isinstance(error, DarkroomError) or is_out_of_memory(error):
            raise
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise HostError(f"{path.name} could not be loaded: {reason}. Look at the folder {path.stem} beside it, if "
                        "there is one: it says how the checkpoint is built.") from error
