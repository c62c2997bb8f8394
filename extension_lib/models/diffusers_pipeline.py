"""A checkpoint file as a diffusers pipeline, made without a network."""

import re
from pathlib import Path
from typing import Any

import torch

from ..host import HostError
from . import checkpoint_parts as parts
from . import detect
from .clip_vocabulary import clip_tokenizer

SD1_CONFIG = Path(__file__).parent / "sd1"
VELOCITY = re.compile(r"^\s*parameterization:\s*[\"']?v[\"']?\s*(#.*)?$", re.MULTILINE)


def load_pipeline(path: Path, dtype: torch.dtype) -> Any:
    """The file as a diffusers pipeline, without network. Raises HostError.

    A diffusers folder of the same stem beside the file holds its configuration; without one it is Stable Diffusion 1's
    own. A file STEM.vae.safetensors beside it has the VAE that is used, as in the WebUI.
    """
    from diffusers import StableDiffusionPipeline

    detect.require_sd1(path)
    own = path.with_suffix("")
    described = (own / "model_index.json").exists()
    config = own if described else SD1_CONFIG
    with parts.loading_errors(path):
        loaded = loaded_parts(path, config, dtype)
        if not described:
            loaded["tokenizer"] = clip_tokenizer()
        pipeline = StableDiffusionPipeline.from_single_file(path, config=str(config), torch_dtype=dtype,
                                                            local_files_only=True, **loaded)
    require_whole_vocabulary(pipeline)
    if not described and predicts_velocity(path.with_suffix(".yaml")):
        changed = {**pipeline.scheduler.config, "prediction_type": "v_prediction"}
        pipeline.scheduler = type(pipeline.scheduler).from_config(changed)
    return pipeline


def loaded_parts(path: Path, config: Path, dtype: torch.dtype) -> dict[str, Any]:
    """What is not left to diffusers' reading of the file. Raises HostError where a part is missing or does not fit."""
    from diffusers import AutoencoderKL

    vae = parts.vae_beside(path)
    parts.require_parts(path, config, vae)
    loaded = {"text_encoder": parts.text_encoder(path, config, dtype)}
    if vae:
        loaded["vae"] = AutoencoderKL.from_single_file(vae, config=str(config), subfolder="vae", torch_dtype=dtype,
                                                       local_files_only=True)
    return loaded


def predicts_velocity(described: Path) -> bool:
    """What the WebUI reads in the .yaml beside a checkpoint."""
    return described.exists() and VELOCITY.search(described.read_text(encoding="utf-8", errors="replace")) is not None


def require_whole_vocabulary(pipeline: Any) -> None:
    """Raises HostError where the tokenizer is not the text encoder's.

    transformers 5 raises nothing when it finds no vocabulary: it returns a tokenizer of two tokens.
    """
    held, wanted = len(pipeline.tokenizer), pipeline.text_encoder.config.vocab_size
    if held != wanted:
        raise HostError(f"The checkpoint's tokenizer has {held} tokens, but its text encoder knows {wanted}. Put "
                        "vocab.json and merges.txt into the tokenizer folder beside the checkpoint.")
