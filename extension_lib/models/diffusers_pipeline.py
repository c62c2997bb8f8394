"""A checkpoint file as a diffusers pipeline, made without a network."""

from pathlib import Path
from typing import Any

import torch

from ..diffusion.noise import zero_terminal_snr
from ..families.family import Family
from ..families.prediction import Prediction
from ..host import HostError
from ..model import Diffusion
from . import checkpoint_parts as parts
from .clip_vocabulary import clip_tokenizer
from .detect import CheckpointKind, require_trainable

CONFIGS = Path(__file__).parent / "configs"  # a diffusers folder for each family
KINDS = {"epsilon": "eps", "v_prediction": "v"}


def load_pipeline(path: Path, dtype: torch.dtype) -> Any:
    """The file as a diffusers pipeline, without network. Raises HostError.

    A diffusers folder of the same stem beside the file holds its configuration; without one it is the family's own. A
    file STEM.vae.safetensors beside it has the VAE that is used, as in the WebUI.
    """
    import diffusers

    kind = require_trainable(path)
    own = path.with_suffix("")
    described = (own / "model_index.json").exists()
    config = own if described else CONFIGS / kind.family.name
    with parts.loading_errors(path):
        modules = parts.load_modules(path, config, kind.family, dtype)
        tokenizers = load_tokenizers(config, kind.family, described)
        scheduler = diffusers.DDIMScheduler.from_config(
            diffusers.DDIMScheduler.load_config(config, subfolder="scheduler"))
        whole = ({"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
                 if not kind.family.sized else {})
        pipeline = getattr(diffusers, kind.family.pipeline)(**modules, **tokenizers, scheduler=scheduler, **whole)
    require_whole_vocabulary(pipeline, kind.family)
    return pipeline


def load_tokenizers(config: Path, family: Family, described: bool) -> dict[str, Any]:
    """By diffusers' names; CLIP's own where no folder beside the checkpoint has others. Raises HostError."""
    from transformers import CLIPTokenizer

    names = [f"tokenizer{folder.removeprefix('text_encoder')}" for folder in parts.TEXT_FOLDERS]
    return {name: CLIPTokenizer.from_pretrained(config, subfolder=name) if described else clip_tokenizer()
            for name, _ in zip(names, family.text_encoders)}


def require_whole_vocabulary(pipeline: Any, family: Family) -> None:
    """Raises HostError where a tokenizer is not its text encoder's.

    transformers 5 raises nothing when it finds no vocabulary: it returns a tokenizer of two tokens.
    """
    for folder, _ in zip(parts.TEXT_FOLDERS, family.text_encoders):
        name = f"tokenizer{folder.removeprefix('text_encoder')}"
        held, wanted = len(pipeline.components[name]), pipeline.components[folder].config.vocab_size
        if held != wanted:
            raise HostError(f"The checkpoint's tokenizer has {held} tokens, but its text encoder knows {wanted}. Put "
                            f"vocab.json and merges.txt into the {name} folder beside the checkpoint.")


def diffusion_of(pipeline: Any, kind: CheckpointKind, chosen: Prediction | None = None) -> Diffusion:
    """The noise process: as chosen, else as the file says, else as the folder beside it does, else as it is tried."""
    schedule = pipeline.scheduler
    stated = chosen or kind.prediction or Prediction(
        tried_prediction(pipeline.unet) if kind.family.unmarked else KINDS[schedule.config.prediction_type])
    bars = schedule.alphas_cumprod.float().cpu().clone()
    return Diffusion(zero_terminal_snr(bars) if stated.zero_snr else bars, stated.kind)


@torch.no_grad()
def tried_prediction(unet: Any) -> str:
    """What a UNet of Stable Diffusion 2 predicts, tried as the WebUI tries it: one that predicts v turns grey noise at
    the last timestep around.
    """
    weight = next(unet.parameters())
    noisy = torch.full((1, unet.config.in_channels, 8, 8), 0.5, device=weight.device, dtype=weight.dtype)
    hidden = torch.full((1, 2, unet.config.cross_attention_dim), 0.5, device=weight.device, dtype=weight.dtype)
    moved = unet(noisy, torch.tensor([999], device=weight.device), encoder_hidden_states=hidden).sample - noisy
    return "v" if moved.float().mean() < -1 else "eps"
